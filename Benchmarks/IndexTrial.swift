import CBenchmarks
import Locks
import VectorSearch

/// An index over the vectors of a directory: builds it, then measures its searches at one setting after the other.
final class IndexTrial {
    struct Building {
        let inserting: Duration
        let indexing: Duration
        /// Anonymous memory of the process, beyond what it had before.
        let bytes: Int
        let peakBytes: Int
        /// As the engine counts.
        let countedBytes: Int

        var total: Duration { inserting + indexing }
    }

    struct Measurement {
        let queries: Int
        let elapsed: Duration
        let recall: Double
        /// Rows compared with a query, on average.
        let scored: Double

        var rate: Double { Double(queries) / (elapsed / .seconds(1)) }
    }

    let configuration: IndexConfiguration
    let sweep: Sweep
    let vectors: IndexedVectors
    private let source: StoredVectors
    private let queries: [[Float]]
    private let count: Int
    /// The row of the store that each vector of the base got.
    private var rows: [Row] = []
    private var truth: Truth?

    /// A measurement goes through the queries again until it has taken this long, and ends early when it takes too long.
    private static let shortest = Duration.milliseconds(300)
    private static let longest = Duration.seconds(5)

    init(
        _ configuration: IndexConfiguration, sweep: Sweep, over source: StoredVectors, metric: Metric, queries: Int, count: Int
    ) throws {
        self.configuration = configuration
        self.sweep = sweep
        self.source = source
        self.count = count
        vectors = IndexedVectors(dimension: source.dimension, metric: metric, configuration: configuration)
        self.queries = try (0..<min(queries, source.queryCount)).map { try Self.checked(source.query($0), metric) }
    }

    private static func checked(_ vector: [Float], _ metric: Metric) throws -> [Float] {
        if let problem = VectorStore.validate(vector.span, metric: metric, dimension: vector.count) { throw problem }
        return vector
    }

    // MARK: Building

    func build(threads: Int, _ progress: inout Progress) throws -> Building {
        let clock = ContinuousClock()
        let watch = try MemoryWatch()
        let start = clock.now
        rows.reserveCapacity(source.baseCount)
        for row in 0..<source.baseCount {
            let vector = try Self.checked(source.base(row), vectors.store.metric)
            rows.append(vectors.insert(vector.span))
            if row % 1024 == 0 { progress.show("\(name): inserted \(row) of \(source.baseCount)") }
        }
        let inserted = clock.now
        while let work = vectors.beginWork() {
            let helpers = try (1..<threads).map { _ in try Thread("build") { work.run() } }
            work.run()
            for helper in helpers { helper.join() }
            vectors.finishWork(work)
            progress.show("\(name): indexed \(vectors.statistics.indexed) of \(source.baseCount), \((clock.now - start) / .seconds(1)) s")
        }
        let built = clock.now
        let peakBytes = try watch.stop()
        // peers.py asks the same of its engines.
        quire_trim()
        return Building(
            inserting: inserted - start, indexing: built - inserted, bytes: try Machine.anonymousBytes() - watch.bytesBefore,
            peakBytes: peakBytes, countedBytes: vectors.store.statistics.bytes + vectors.statistics.bytes)
    }

    var name: String {
        configuration.kind.rawValue + (configuration.quantization == .none ? "" : " \(configuration.quantization.rawValue)")
    }

    /// Takes the exact answers from the directory, or finds them.
    func findTruth(threads: Int, _ progress: inout Progress) throws {
        let answers: [[Row]]
        if let stored = try source.exactAnswers(metric: vectors.store.metric.rawValue, count: count) {
            answers = stored.prefix(queries.count).map { $0.map { rows[$0] } }
        } else {
            progress.show("\(name): exact answers of \(queries.count) queries")
            // Some more than asked for, to know what is as near as the last.
            let request = SearchRequest(count: count + 20, isExact: true)
            var found = Array(repeating: [Row](), count: queries.count)
            for answer in try run(request, threads: threads, longest: .seconds(86_400)).answers {
                found[answer.query] = answer.outcome.neighbors.map(\.row)
            }
            answers = found
        }
        truth = Truth(count: count, answers: answers) { query, row in
            let vector = queries[query]
            return vectors.store.withVector(row) { NaiveScan.distance(vectors.store.metric, vector.span, $0) }
        }
    }

    // MARK: Searching

    /// After `build` and `findTruth`.
    func measure(_ setting: Int, threads: Int) throws -> Measurement {
        guard let truth else { preconditionFailure("there is something to compare with") }
        var request = SearchRequest(count: count)
        switch sweep.parameter {
        case .efSearch: request.ef = setting
        case .some(let parameter): vectors.reconfigure(configuration.with([parameter: setting]))
        case nil: break
        }

        var (elapsed, answered, hits, possible, scored) = (Duration.zero, 0, 0, 0, 0)
        repeat {
            let run = try run(request, threads: threads, longest: Self.longest)
            elapsed += run.elapsed
            answered += run.answers.count
            for answer in run.answers {
                hits += truth.hits(answer.outcome.neighbors, query: answer.query)
                possible += truth.possibleHits(query: answer.query)
                scored += answer.outcome.scored
            }
        } while elapsed < Self.shortest
        return Measurement(
            queries: answered, elapsed: elapsed, recall: Double(hits) / Double(possible), scored: Double(scored) / Double(answered))
    }

    private typealias Answer = (query: Int, outcome: SearchOutcome)

    /// Answers the queries in turn on some threads, until all are answered or the time is over.
    private func run(_ request: SearchRequest, threads: Int, longest: Duration) throws -> (answers: [Answer], elapsed: Duration) {
        let clock = ContinuousClock()
        let queue = QueryQueue(count: queries.count, until: clock.now + longest)
        let lock = Lock()
        // Sound: answers are added under the lock, and read after the last thread has ended; the vectors do not change meanwhile.
        nonisolated(unsafe) var all: [Answer] = []
        nonisolated(unsafe) let trial = self
        let work: @Sendable () -> Void = {
            var answers: [Answer] = []
            answers.reserveCapacity(queue.count)
            while let some = queue.take() {
                for query in some {
                    let vector = trial.queries[query]
                    answers.append((query, trial.vectors.search(vector.span, request)))
                }
            }
            lock.withLock { all += answers }
        }
        let start = clock.now
        let helpers = try (1..<threads).map { _ in try Thread("search", work) }
        work()
        for helper in helpers { helper.join() }
        return (all, clock.now - start)
    }
}

/// Numbers of queries, a few at a time, for threads that take what is next.
private final class QueryQueue: Sendable {
    let count: Int
    private let end: ContinuousClock.Instant
    private let lock = Lock()
    // Sound: read and written under the lock.
    nonisolated(unsafe) private var next = 0

    init(count: Int, until end: ContinuousClock.Instant) {
        self.count = count
        self.end = end
    }

    func take() -> Range<Int>? {
        lock.withLock {
            guard next < count, ContinuousClock.now < end else { return nil }
            defer { next = min(next + 8, count) }
            return next..<min(next + 8, count)
        }
    }
}
