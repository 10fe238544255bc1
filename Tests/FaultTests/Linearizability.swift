/// What one client did with one document, and what it was told.
///
/// Versions are numbers; a document that is not there has none.
struct Operation: Equatable {
    enum Action: Equatable {
        /// Adds the document in this version if it is not there.
        case create(Int)
        /// Adds it, or puts this version in its place.
        case replace(Int)
        case delete
        /// Reads it, or searches for it.
        case read
    }

    enum Answer: Equatable {
        case done
        /// Created in vain: the document was there. Or deleted in vain: it was not.
        case refused
        case found(Int?)
        /// The answer never came.
        case unknown
    }

    var action: Action
    var answer: Answer
    /// When it was sent, and when its answer had come; any unit.
    var start: UInt64
    var end: UInt64

    /// The document after the operation, if it had this version before; nil if the answer cannot be.
    func apply(to version: Int?) -> Int?? {
        switch (action, answer) {
        case (.create(let new), .done): version == nil ? .some(new) : nil
        case (.create, .refused): version == nil ? nil : .some(version)
        case (.create(let new), .unknown): .some(version ?? new)
        case (.replace(let new), .done), (.replace(let new), .unknown): .some(new)
        case (.delete, .done): version == nil ? nil : .some(nil)
        case (.delete, .refused): version == nil ? .some(nil) : nil
        case (.delete, .unknown): .some(nil)
        case (.read, .found(let found)): version == found ? .some(version) : nil
        case (.read, .unknown): .some(version)
        case (.replace, .refused), (.read, .done), (.read, .refused), (_, .found): nil
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
        var version: Int?
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
