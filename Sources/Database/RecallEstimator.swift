import Locks
import VectorSearch

/// How much is done to estimate recall.
package struct RecallSampling: Sendable {
    /// Of each library a query is looked at every so often, at most.
    package var interval = Duration.seconds(1)
    /// For the time that a query takes, so many times as long is waited: of a processor a fiftieth is used.
    package var restFactor = 49

    package init() {}
}

/// Estimates the recall of searches that need not be exact: now and then the query of one is searched for again, as the library
/// would now and with all vectors, on a thread of its own and beside everything else.
///
/// Cost: as `RecallSampling` says. While a query is searched for, writes to its library wait, as they do for an exact search that somebody
/// asks for; libraries of more than `chunkLimit` are left alone therefore.
// Sound as Sendable: all mutable state is read and written under `lock`.
final class RecallEstimator: @unchecked Sendable {
    /// A search that somebody made.
    private struct Sample {
        let library: Library
        let vector: [Float]
        let count: Int
        let ef: Int?
    }

    private let sampling: RecallSampling
    private let lock = Lock()
    /// There is a sample, or all is to end.
    private let changed = Condition()
    private var samples: [Sample] = []
    private var thread: Thread?
    private var isStopped = false

    private static let chunkLimit = 1_000_000
    private static let waitingLimit = 16

    init(_ sampling: RecallSampling) {
        self.sampling = sampling
    }

    /// Takes the query of a search by vectors that was not exact and had no filter, unless one of its library was taken a moment ago.
    ///
    /// - Parameter minimum: the recall that the library wants; then only of a search that left `ef` to it.
    func offer(_ query: SearchQuery, of library: Library, minimum: Double) {
        guard query.ef == nil || minimum == 0, library.recall.isDue(every: sampling.interval) else { return }
        lock.withLock {
            guard !isStopped, samples.count < Self.waitingLimit else { return }
            // Where there is no room for a thread, nothing is estimated.
            if thread == nil { thread = try? Thread("quire-recall", niceness: 10) { [self] in work() } }
            guard thread != nil else { return }
            samples.append(Sample(library: library, vector: query.vector, count: query.offset + query.count, ef: query.ef))
            changed.broadcast()
        }
    }

    /// Waits for the end of the thread. Nothing is taken afterwards.
    func stop() {
        let thread = lock.withLock {
            isStopped = true
            samples = []
            changed.broadcast()
            defer { self.thread = nil }
            return self.thread
        }
        thread?.join()
    }

    // MARK: On the thread

    private func work() {
        while let sample = next() {
            let start = ContinuousClock.now
            Self.look(at: sample)
            rest(until: .now + (.now - start) * sampling.restFactor)
        }
    }

    private func next() -> Sample? {
        lock.withLock {
            while samples.isEmpty, !isStopped { changed.wait(lock) }
            return isStopped ? nil : samples.removeFirst()
        }
    }

    private func rest(until end: ContinuousClock.Instant) {
        lock.withLock {
            while !isStopped, end > .now { _ = changed.wait(lock, atMost: end - .now) }
        }
    }

    /// Finds out the share of the nearest that a search finds; what is as far as the last of them is as good. Nothing where the search would
    /// be exact by now, or is not to be repeated.
    private static func look(at sample: Sample) {
        let library = sample.library
        library.lock.withReadLock {
            guard library.chunkCount <= chunkLimit else { return }
            let minimum = library.record.minimumRecall
            // It may have been taken while the library wanted nothing.
            guard sample.ef == nil || minimum == 0 else { return }
            let request = library.vectorRequest(count: sample.count, ef: sample.ef)
            let found = library.vectors.search(sample.vector.span, request)
            guard !found.exact else { return }
            let nearest = library.vectors.search(sample.vector.span, SearchRequest(count: sample.count, isExact: true)).neighbors
            guard let last = nearest.last else { return }
            let recall = Double(found.neighbors.count { $0.distance <= last.distance }) / Double(nearest.count)
            // Not what it has kept, which is no less than its count: one that asks for many would decide for all.
            let ef = found.ef.map { _ in request.ef ?? library.indexInUse[.efSearch] }
            library.recall.add(recall, minimum: minimum, ef: ef)
        }
    }
}
