import ArgumentParser
import VectorSearch

/// Exact search: how long a distance takes, and whether the answers are the true ones.
struct Exact: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures exact search over random vectors, or over those of a directory.")

    @Option(help: "A directory with base.f16.npy or base.npy, and queries likewise. Without it, vectors are random.")
    var data: String?

    @Option(help: "The number of vectors; with --data, at most that many are read.")
    var rows: Int?

    @Option(help: "The dimension of random vectors.")
    var dimension = 384

    @Option(help: "The number of neighbours a query asks for.")
    var count = 10

    @Option(help: "The number of queries timed.")
    var queries = 200

    @Option(help: "The number of queries whose answers are compared with a naive scan in Double.")
    var sample = 20

    @Option(help: "cosine, dot or l2.")
    var metric = Metric.cosine

    @Option(help: "none, or int8: codes of one byte a component decide which vectors are looked at.")
    var quantization = Quantization.none

    @Option(help: "plain, avx2, avx512 or avx512_vnni. Default: the widest this machine has.")
    var instructionSet = InstructionSet.best

    @Option(help: "The seed of random vectors.")
    var seed: UInt64 = 1

    func validate() throws {
        guard rows ?? 1 > 0, (1...65_536).contains(dimension), count > 0, queries > 0, sample >= 0 else {
            throw ValidationError("--rows, --dimension (at most 65536), --count and --queries are positive numbers.")
        }
        guard InstructionSet.supported.contains(instructionSet) else {
            throw ValidationError("This machine lacks \(instructionSet.rawValue).")
        }
    }

    func run() throws {
        let vectors = try makeVectors()
        let index = IndexedVectors(
            dimension: vectors.dimension, metric: metric, configuration: IndexConfiguration(.bruteForce, quantization: quantization),
            instructionSet: instructionSet)
        let store = index.store
        let memoryBefore = try Machine.anonymousBytes()
        let building = try ContinuousClock().measure {
            for row in 0..<vectors.baseCount {
                let vector = try vectors.base(row)
                try check(vector)
                _ = index.insert(vector.span)
            }
            while let work = index.beginWork() {
                work.run()
                index.finishWork(work)
            }
        }
        let memory = try Machine.anonymousBytes() - memoryBefore
        let queries = try (0..<min(queries, vectors.queryCount)).map { number in
            let query = try vectors.query(number)
            try check(query)
            return query
        }

        let rowBytes = vectors.dimension * (quantization == .int8 ? 1 : MemoryLayout<Float>.stride)
        let bandwidth = Bandwidth(bytes: store.statistics.uniqueVectors * rowBytes)
        let times = measure(index, queries, bandwidth)
        let recall = recall(of: index, over: store, Array(queries.prefix(sample)))
        report(store.statistics, building: building, memory: memory, times: times, recall: recall, bandwidth)
    }

    private func makeVectors() throws -> any VectorSource {
        guard let data else {
            return RandomVectors(baseCount: rows ?? 20_000, queryCount: queries, dimension: dimension, seed: seed)
        }
        return try StoredVectors(directory: data, limit: rows)
    }

    private func check(_ vector: [Float]) throws {
        if let problem = VectorStore.validate(vector.span, metric: metric, dimension: vector.count) { throw problem }
    }

    /// The time of each query, sorted, after one round to warm up; now and then, the bandwidth of memory.
    private func measure(_ index: IndexedVectors, _ queries: [[Float]], _ bandwidth: Bandwidth) -> [Duration] {
        let clock = ContinuousClock()
        var times: [Duration] = []
        for (number, query) in (queries.prefix(20) + queries).enumerated() {
            if number % 40 == 0 { bandwidth.measure() }
            times.append(clock.measure { _ = index.search(query.span, SearchRequest(count: count)) })
        }
        return times.dropFirst(min(queries.count, 20)).sorted()
    }

    /// The share of the true nearest rows among those found.
    private func recall(of index: IndexedVectors, over store: VectorStore, _ queries: [[Float]]) -> Double? {
        var found = 0
        var expected = 0
        for query in queries {
            let truth = NaiveScan.nearest(count, to: query, in: store)
            let rows = Set(index.search(query.span, SearchRequest(count: count)).neighbors.map(\.row))
            expected += truth.count
            found += truth.count { rows.contains($0) }
        }
        return expected == 0 ? nil : Double(found) / Double(expected)
    }

    private func report(
        _ statistics: VectorStoreStatistics, building: Duration, memory: Int, times: [Duration], recall: Double?, _ bandwidth: Bandwidth
    ) {
        let rows = statistics.uniqueVectors
        let raw = rows * statistics.dimension * MemoryLayout<Float>.stride
        let median = times[times.count / 2] / .nanoseconds(1)
        let speed = Double(quantization == .int8 ? raw / MemoryLayout<Float>.stride : raw) / median
        let total = times.reduce(Duration.zero, +) / .seconds(1)
        let lines = [
            ("machine", Machine.processorName),
            ("instruction set", instructionSet.rawValue), ("quantization", quantization.rawValue),
            ("vectors", "\(rows) distinct of \(statistics.totalReferences), \(statistics.dimension) dimensions, \(metric.rawValue)"),
            ("inserted", "\(rounded(Double(statistics.totalReferences) / (building / .seconds(1)), 0)) vectors/s"),
            ("memory", "\(memory) bytes anonymous, \(rounded(Double(memory) / Double(raw), 3)) of the vectors"),
            ("one query", "\(rounded(median / 1e6, 3)) ms median of \(times.count), \(count) neighbours"),
            ("one distance", "\(rounded(median / Double(rows), 1)) ns median"),
            ("memory read", "\(rounded(speed, 1)) GB/s"),
            ("streaming", "\(rounded(bandwidth.bytesPerNanosecond, 1)) GB/s over as many bytes, one thread"),
            ("of streaming", rounded(speed / bandwidth.bytesPerNanosecond, 3)),
            ("queries", "\(rounded(Double(times.count) / total, 1)) a second, one thread"),
            ("recall@\(count)", recall.map { "\(rounded($0, 4)) of \(min(sample, times.count)) queries" } ?? "not measured"),
        ]
        for (name, value) in lines {
            print(name + String(repeating: " ", count: max(17 - name.count, 1)) + value)
        }
    }
}

extension Metric: ExpressibleByArgument {}
extension InstructionSet: ExpressibleByArgument {}
