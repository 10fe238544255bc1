import Locks
import TestSupport
import Testing
import VectorSearch

/// What an owner does who admits searches together or one change, with builders beside both. Run under ThreadSanitizer as well.
@Suite("Concurrent changes")
struct ConcurrentChangeTests {
    // Sound: the index and the model are used as the lock says.
    private final class Owner: @unchecked Sendable {
        let lock = ReadWriteLock()
        let index: IndexedVectors
        var model: [Row: [Float]] = [:]
        let isDone = Shared(false)

        init(_ configuration: IndexConfiguration, dimension: Int) {
            index = IndexedVectors(dimension: dimension, metric: .cosine, configuration: configuration)
        }

        /// Two threads at a time do what there is to do, until the changes end; then what is left.
        func build() throws {
            while true {
                let isLast = isDone.current
                if let work = lock.withWriteLock({ index.beginWork() }) {
                    try onThreads(2) { _ in work.run() }
                    lock.withWriteLock { index.finishWork(work) }
                } else if isLast {
                    return
                } else {
                    yieldThread()
                }
            }
        }
    }

    @Test("leave every row found and no other, while an index is built beside them", arguments: IndexConfiguration.all)
    func keepEveryRow(configuration: IndexConfiguration) throws {
        let dimension = 100
        let vectors = clustered(1500, dimension: dimension, seed: 51)
        let owner = Owner(configuration, dimension: dimension)
        let builder = Background { try owner.build() }
        let searchers = (0..<2).map { number in
            Background {
                var random = SplitMix(seed: 52 + UInt64(number))
                while !owner.isDone.current {
                    owner.lock.withReadLock {
                        guard let (row, vector) = owner.model.randomElement(using: &random) else { return }
                        let outcome = owner.index.search(vector, count: 5)
                        #expect(outcome.neighbors.allSatisfy { owner.model[$0.row] != nil })
                        #expect(outcome.neighbors.count == min(5, owner.model.count))
                        if outcome.exact { #expect(outcome.neighbors.first?.row == row) }
                    }
                }
            }
        }

        let seed: UInt64 = 54
        var random = SplitMix(seed: seed)
        for vector in vectors {
            owner.lock.withWriteLock {
                #expect(owner.model.updateValue(vector, forKey: owner.index.insert(vector)) == nil, "seed \(seed)")
                if Int.random(in: 0..<3, using: &random) == 0, let victim = owner.model.keys.randomElement(using: &random) {
                    owner.index.release(victim)
                    owner.model[victim] = nil
                }
            }
            if Int.random(in: 0..<8, using: &random) == 0 { yieldThread() }
        }
        owner.isDone.set(true)
        for searcher in searchers { try searcher.value() }
        try builder.value()

        #expect(owner.index.statistics.indexed == owner.model.count)
        let missed = owner.model.count { row, vector in owner.index.search(vector, count: 1).neighbors.first?.row != row }
        #expect(missed <= (configuration.kind.isExact ? 0 : owner.model.count / 200))
    }
}
