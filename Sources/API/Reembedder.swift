import Database
import Embedding
import Locks
import Storage

/// Makes the vectors of libraries anew, of one library after another, on a thread of its own and beside everything else. What it has made
/// is durable, so it goes on where it was after a restart.
// Sound as Sendable: all mutable state is read and written under `lock`.
final class Reembedder: @unchecked Sendable {
    /// How the last one of a library went, since the server started.
    struct Run {
        enum State: String {
            case running, done, failed, cancelled
        }

        var state = State.running
        /// No two runs have the same.
        fileprivate let number: Int
        let from: String
        let to: String
        let startedAt = Timestamp.now()
        var finishedAt: Timestamp?
        /// Of the ten nearest chunks of a sample, before and after.
        var overlap: Double?
        /// What kept it from going on: for good, or the last time.
        var failure: APIError?
    }

    private let lock = Lock()
    /// There is a library to do, or all is to end.
    private let changed = Condition()
    private var runs: [LibraryID: Run] = [:]
    private var queue: [(id: LibraryID, run: Int)] = []
    private var lastRun = 0
    private var thread: Thread?
    private var isStopped = false

    /// Chunks that are embedded and stored together.
    private static let chunksAtOnce = 64
    /// How often it catches up with changes beside them, before they have to wait for it.
    private static let passesBesideChanges = 3
    private static let sample = 100
    /// Failures in a row that end it; what comes between them is longer each time.
    private static let failureLimit = 5

    func run(of id: LibraryID) -> Run? { lock.withLock { runs[id] } }

    /// The libraries whose last one failed, and why, in the order of their ids.
    var failures: [(id: LibraryID, failure: APIError)] {
        lock.withLock { runs }.filter { $0.value.state == .failed }.sorted { $0.key < $1.key }.compactMap { id, run in
            run.failure.map { (id, $0) }
        }
    }

    /// Makes the vectors of a library whose re-embedding has begun.
    ///
    /// - Throws: 503 if there is no thread for it; the run has failed then.
    func start(_ id: LibraryID, from old: String, to new: String, with service: Service) throws {
        try lock.withLock {
            guard !isStopped else { throw APIError(.unavailable, "The server stops") }
            lastRun += 1
            runs[id] = Run(number: lastRun, from: old, to: new)
            do {
                if thread == nil { thread = try Thread("quire-reembed", niceness: 5) { [self] in work(service) } }
            } catch {
                let failure = APIError(.unavailable, "No thread could be started: \(error)")
                runs[id]!.state = .failed
                runs[id]!.failure = failure
                throw failure
            }
            queue.append((id, lastRun))
            changed.broadcast()
        }
    }

    /// Has the thread leave the library alone, whose re-embedding was cancelled.
    func cancel(_ id: LibraryID) {
        if let run = run(of: id) { end(id, run.number, .cancelled) }
    }

    /// Waits for the end of the thread, which comes after what it is embedding. What it has made stays.
    func stop() {
        let thread = lock.withLock {
            isStopped = true
            changed.broadcast()
            defer { self.thread = nil }
            return self.thread
        }
        thread?.join()
    }

    private func end(_ id: LibraryID, _ run: Int, _ state: Run.State, _ failure: APIError? = nil) {
        lock.withLock {
            guard runs[id]?.number == run, runs[id]?.state == .running else { return }
            runs[id]!.state = state
            runs[id]!.finishedAt = .now()
            runs[id]!.failure = failure
            changed.broadcast()
        }
    }

    // MARK: On the thread

    private struct Interrupted: Error {}

    private func work(_ service: Service) {
        while let (id, run) = next() {
            do {
                try Job(reembedder: self, service: service, database: try service.database, id: id, run: run).reembed()
                end(id, run, .done)
            } catch is Interrupted {
                continue
            } catch DatabaseError.noReembedding, DatabaseError.libraryNotFound {
                end(id, run, .cancelled)
            } catch {
                end(id, run, .failed, APIError(error))
            }
        }
    }

    private func next() -> (id: LibraryID, run: Int)? {
        lock.withLock {
            while queue.isEmpty, !isStopped { changed.wait(lock) }
            return isStopped ? nil : queue.removeFirst()
        }
    }

    private func checkInterruption(_ id: LibraryID, _ run: Int) throws {
        guard lock.withLock({ isGoingOn(id, run) }) else { throw Interrupted() }
    }

    private func isGoingOn(_ id: LibraryID, _ run: Int) -> Bool {
        !isStopped && runs[id]?.number == run && runs[id]?.state == .running
    }

    private func pause(_ duration: Duration, _ id: LibraryID, _ run: Int) throws {
        let deadline = ContinuousClock.now + duration
        lock.withLock {
            while isGoingOn(id, run), changed.wait(lock, atMost: deadline - .now) {}
        }
        try checkInterruption(id, run)
    }

    /// One library.
    private struct Job {
        let reembedder: Reembedder
        let service: Service
        let database: Database
        let id: LibraryID
        let run: Int

        func reembed() throws {
            for pass in 0..<Reembedder.passesBesideChanges {
                try stage()
                if pass == 0 {
                    let overlap = try database.overlapOfReembedding(of: id, sample: Reembedder.sample)
                    reembedder.lock.withLock { reembedder.runs[id]?.overlap = overlap }
                }
                if try database.finishReembedding(of: id) { return }
            }
            try database.holdingChanges(of: id) {
                repeat { try stage() } while try !database.finishReembedding(of: id)
            }
        }

        /// Gives vectors to all documents that have none yet.
        private func stage() throws {
            guard let source = try database.reembeddingProgress(of: id)?.source else { throw DatabaseError.noReembedding(id) }
            let model = try service.model(of: source)
            var last = SequenceNumber.zero
            while true {
                try reembedder.checkInterruption(id, run)
                let documents = try database.unstagedDocuments(of: id, after: last, chunkLimit: Reembedder.chunksAtOnce)
                guard let end = documents.last else { return }
                let embeddings = try embed(documents.flatMap { $0.chunks.map(\.text) }, with: model)
                var next = 0
                let staged = documents.map { document in
                    defer { next += document.chunks.count }
                    return (document, document.chunks.indices.map { Array(embeddings[next + $0]) })
                }
                try database.stage(staged, by: source)
                last = end.createdSequence
            }
        }

        /// A provider that fails is asked again, less and less often.
        private func embed(_ texts: [String], with model: EmbeddingModel) throws -> Embeddings {
            var failures = 0
            while true {
                do {
                    return try service.embed(texts, as: .document, with: model, service.patiently)
                } catch {
                    let failure = APIError(error)
                    // Requests come first: that they leave no turn is no failure.
                    let isBusy = failure.type == .unavailable
                    failures += isBusy ? 0 : 1
                    guard failures < Reembedder.failureLimit else { throw error }
                    reembedder.lock.withLock { reembedder.runs[id]?.failure = failure }
                    try reembedder.pause(isBusy ? .milliseconds(200) : .seconds(1 << failures), id, run)
                }
            }
        }
    }
}
