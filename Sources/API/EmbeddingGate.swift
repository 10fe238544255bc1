import Embedding
import Locks

/// Lets a few threads compute at a time, has some more callers wait, and turns the rest away: computing takes whole seconds of a
/// processor, and the threads that wait for it are those that answer everything else.
// Sound as Sendable: what changes is read and written under `lock`.
final class EmbeddingGate: @unchecked Sendable {
    private let lock = Lock()
    private let changed = Condition()
    private let turnLimit: Int
    private let insideLimit: Int
    /// Threads that compute: callers whose turn it is, and those that help them.
    private var turns = 0
    /// Callers that wait for their turn, in the order they came.
    private var queue: [Int] = []
    private var lastTicket = 0
    /// Callers that compute, those that wait for their turn, and those that wait for a provider on the network.
    private var inside = 0
    /// Of all callers, those that wait for the gate.
    private var waiting = 0

    /// At most half of the worker threads, so that the other half answers what is quick.
    init(workerThreads: Int, processors: Int) {
        insideLimit = max(1, workerThreads / 2)
        turnLimit = min(insideLimit, max(1, processors))
    }

    var callers: Int { lock.withLock { inside } }
    var waitingCallers: Int { lock.withLock { waiting } }
    var computingThreads: Int { lock.withLock { turns } }

    /// Runs `body` when it is this caller's turn.
    ///
    /// - Parameter isPatient: whether the caller would rather wait outside than be turned away. For those whose thread is not missed.
    /// - Throws: 503 if too many are inside already, or if the turn does not come before `deadline`.
    func pass<Result>(
        before deadline: ContinuousClock.Instant, isPatient: Bool = false, _ body: () throws -> Result
    ) throws -> Result {
        try enter(before: deadline, isPatient: isPatient) {
            try takeTurn(before: deadline)
            defer { giveTurn() }
            return try body()
        }
    }

    /// Runs `body` without a turn: it waits for somebody else to compute, and keeps a thread from other work all the same.
    ///
    /// - Throws: 503 if too many are inside already, and to a patient caller if they still are at `deadline`.
    func enter<Result>(
        before deadline: ContinuousClock.Instant, isPatient: Bool = false, _ body: () throws -> Result
    ) throws -> Result {
        try lock.withLock {
            while inside >= insideLimit {
                guard isPatient else { throw Self.full }
                try wait(before: deadline)
            }
            inside += 1
        }
        defer {
            lock.withLock {
                inside -= 1
                changed.broadcast()
            }
        }
        return try body()
    }

    /// Waits behind those that came before.
    private func takeTurn(before deadline: ContinuousClock.Instant) throws {
        try lock.withLock {
            lastTicket += 1
            let ticket = lastTicket
            queue.append(ticket)
            defer {
                queue.removeAll { $0 == ticket }
                changed.broadcast()
            }
            while turns >= turnLimit || queue[0] != ticket { try wait(before: deadline) }
            turns += 1
        }
    }

    private func giveTurn() {
        lock.withLock {
            turns -= 1
            changed.broadcast()
        }
    }

    /// Waits for a change, with the lock held.
    private func wait(before deadline: ContinuousClock.Instant) throws {
        let rest = deadline - ContinuousClock.now
        guard rest > .zero else { throw Self.late }
        waiting += 1
        defer { waiting -= 1 }
        _ = changed.wait(lock, atMost: rest)
    }

    private static var full: APIError {
        APIError(.unavailable, "Too many requests are waiting for embeddings; nothing was stored")
    }

    static var late: APIError {
        APIError(.unavailable, "The texts could not be embedded in time; nothing was stored. Send fewer of them in one request")
    }
}

extension EmbeddingGate: PartRunner {
    /// To be called by a thread whose turn it is. It does the parts, with a helper for every turn that nobody waits for.
    ///
    /// A helper gives its turn back after the part during which another caller came, so nobody waits longer for it than a part takes.
    func run(_ count: Int, _ part: @escaping @Sendable (Int) -> Void) {
        let parts = Parts(count: count)
        var helpers: [Thread] = []
        while let number = parts.next() {
            for _ in 0..<parts.left {
                guard let helper = startHelper(with: parts, part) else { break }
                helpers.append(helper)
            }
            part(number)
        }
        for helper in helpers { helper.join() }
    }

    private func startHelper(with parts: Parts, _ part: @escaping @Sendable (Int) -> Void) -> Thread? {
        guard takeSpareTurn() else { return nil }
        do {
            return try Thread("quire-embed") {
                while !self.isAwaited, let number = parts.next() { part(number) }
                self.giveTurn()
            }
        } catch {
            // A machine without room for threads does one part after the other.
            giveTurn()
            return nil
        }
    }

    private func takeSpareTurn() -> Bool {
        lock.withLock {
            guard turns < turnLimit, queue.isEmpty else { return false }
            turns += 1
            return true
        }
    }

    private var isAwaited: Bool { lock.withLock { !queue.isEmpty } }
}

/// The numbers of parts, which several threads take one by one.
// Sound as Sendable: `taken` is read and written under `lock`.
private final class Parts: @unchecked Sendable {
    private let lock = Lock()
    private let count: Int
    private var taken = 0

    init(count: Int) {
        self.count = count
    }

    /// The next part to be done; `nil` if there is none.
    func next() -> Int? {
        lock.withLock {
            guard taken < count else { return nil }
            taken += 1
            return taken - 1
        }
    }

    var left: Int { lock.withLock { count - taken } }
}
