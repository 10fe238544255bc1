import Locks

/// Lets a few callers compute at a time, has some more wait, and turns the rest away: computing takes whole seconds of a processor,
/// and the threads that wait for it are those that answer everything else.
// Sound as Sendable: the counts are read and written under `lock`.
final class EmbeddingGate: @unchecked Sendable {
    private let lock = Lock()
    private let left = Condition()
    private let runningLimit: Int
    private let insideLimit: Int
    private var running = 0
    private var waiting = 0
    private var remote = 0

    /// At most half of the worker threads, so that the other half answers what is quick.
    init(workerThreads: Int, processors: Int) {
        let inside = max(1, workerThreads / 2)
        runningLimit = min(inside, max(1, processors))
        insideLimit = inside
    }

    /// Those that compute, those that wait for their turn, and those that wait for a provider on the network.
    var callers: Int { lock.withLock { inside } }

    private var inside: Int { running + waiting + remote }

    /// Runs `body` when it is this caller's turn.
    ///
    /// - Throws: 503 if too many wait already, or if the turn does not come before `deadline`.
    func pass<Result>(before deadline: ContinuousClock.Instant, _ body: () throws -> Result) throws -> Result {
        try lock.withLock {
            guard inside < insideLimit else { throw Self.full }
            guard running >= runningLimit else {
                running += 1
                return
            }
            waiting += 1
            defer { waiting -= 1 }
            while running >= runningLimit {
                let rest = deadline - ContinuousClock.now
                guard rest > .zero, left.wait(lock, atMost: rest) || running < runningLimit else { throw Self.late }
            }
            running += 1
        }
        defer {
            lock.withLock {
                running -= 1
                left.signal()
            }
        }
        return try body()
    }

    /// Runs `body`, which waits for somebody else to compute: it takes no turn, and a thread all the same.
    ///
    /// - Throws: 503 if too many are inside already.
    func passRemotely<Result>(_ body: () throws -> Result) throws -> Result {
        try lock.withLock {
            guard inside < insideLimit else { throw Self.full }
            remote += 1
        }
        defer { lock.withLock { remote -= 1 } }
        return try body()
    }

    private static var full: APIError {
        APIError(.unavailable, "Too many requests are waiting for embeddings; nothing was stored")
    }

    static var late: APIError {
        APIError(.unavailable, "The texts could not be embedded in time; nothing was stored. Send fewer of them in one request")
    }
}
