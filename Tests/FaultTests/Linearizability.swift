/// Which changes made a document what it is, by their numbers: the last one of its metadata, and the last one of its chunks.
struct Version: Hashable {
    var metadata: Int
    var chunks: Int

    init(metadata: Int, chunks: Int) { (self.metadata, self.chunks) = (metadata, chunks) }

    /// Made by one change as a whole.
    init(_ number: Int) { self.init(metadata: number, chunks: number) }
}

/// What one client did with one document, and what it was told. A document that is not there has no version.
struct Operation: Equatable {
    /// Those that change something have a number.
    enum Action: Equatable {
        /// Adds the document if it is not there.
        case create(Int)
        /// Adds it, or puts another in its place.
        case replace(Int)
        /// PUT: puts another in its place if it is there.
        case put(Int)
        /// PATCH: changes its metadata if it is there, and not its chunks.
        case patch(Int)
        case delete
        /// Reads it, or searches for it.
        case read
    }

    enum Answer: Equatable {
        case done
        /// Created in vain: the document was there. Or put, patched or deleted in vain: it was not.
        case refused
        case found(Version?)
        /// The answer never came.
        case unknown
    }

    var action: Action
    var answer: Answer
    /// When it was sent, and when its answer had come; any unit.
    var start: UInt64
    var end: UInt64

    /// The document after the operation, if it was this before; nil if the answer cannot be.
    func apply(to version: Version?) -> Version?? {
        switch (action, answer) {
        case (.read, .found(let found)): return version == found ? .some(version) : nil
        case (.read, _), (_, .found): return nil
        case (.replace, .refused): return nil
        case (_, .refused): return isInVain(for: version) ? .some(version) : nil
        case (_, .done): return isInVain(for: version) ? nil : .some(changed(version))
        case (_, .unknown): return .some(isInVain(for: version) ? version : changed(version))
        }
    }

    /// Whether the document stays as it is, because there is one, or none.
    private func isInVain(for version: Version?) -> Bool {
        switch action {
        case .create: version != nil
        case .replace, .read: false
        case .put, .patch, .delete: version == nil
        }
    }

    private func changed(_ version: Version?) -> Version? {
        switch action {
        case .create(let number), .replace(let number), .put(let number): Version(number)
        case .patch(let number): version.map { Version(metadata: number, chunks: $0.chunks) }
        case .delete: nil
        case .read: version
        }
    }
}

/// Whether there is an order of the operations on one document, which begins as not there, that explains every answer and in which
/// whatever ended before another began comes before it. One whose answer is unknown may come at any time after its start, or never.
///
/// The search of Wing and Gong (1993) with the memory of Lowe (2017): a set of operations in some order that led to the same version is
/// gone on from once. Histories of several documents are judged one document at a time (Herlihy and Wing 1990, locality).
struct LinearizabilityCheck {
    private let operations: [Operation]
    private var seen: Set<Configuration> = []

    private struct Configuration: Hashable {
        /// Which operations have their place in the order already.
        var placed: [Bool]
        var version: Version?
    }

    static func isLinearizable(_ history: [Operation]) -> Bool {
        var check = LinearizabilityCheck(operations: history.sorted { $0.start < $1.start })
        return check.canFinish(Configuration(placed: history.map { _ in false }, version: nil))
    }

    private init(operations: [Operation]) { self.operations = operations }

    private mutating func canFinish(_ configuration: Configuration) -> Bool {
        guard seen.insert(configuration).inserted else { return false }
        let next = candidates(configuration)
        if !next.contains(where: { operations[$0].answer != .unknown }) { return true }
        for index in next {
            guard let version = operations[index].apply(to: configuration.version) else { continue }
            // One that changes nothing may as well come later, or never.
            if operations[index].answer == .unknown, version == configuration.version { continue }
            var following = configuration
            following.placed[index] = true
            following.version = version
            if canFinish(following) { return true }
        }
        return false
    }

    /// The operations that can come next: those that began before any other that is left had ended. One of the answered ones is always
    /// among them if there is any.
    private func candidates(_ configuration: Configuration) -> [Int] {
        var candidates: [Int] = []
        var earliestEnd = UInt64.max
        for index in operations.indices where !configuration.placed[index] {
            let operation = operations[index]
            // In order of their starts: no later one can come next either.
            if operation.start > earliestEnd { break }
            candidates.append(index)
            if operation.answer != .unknown { earliestEnd = min(earliestEnd, operation.end) }
        }
        return candidates
    }
}
