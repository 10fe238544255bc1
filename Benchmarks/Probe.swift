import ArgumentParser
import Glibc
import Locks
import VectorSearch

struct Probe: ParsableCommand {
    @Option var data = "../shared/data/wordnet"
    @Option var rows: Int?
    @Option var threads = 2
    @Option var quantization = "none"
    @Option var index = "hnsw"
    @Option var efs = "16,24,32,48,64,96,128,200,400"
    @Option var queries = "queries"
    @Option var truth = "exact_cosine"
    @Option var repeats = 3
    @Option var parameters = ""
    @Flag var selfs = false
    @Flag var filters = false
    @Option var searchThreads = 1

    func run() throws {
        let base = try TableFile(path: "\(data)/base.f16.npy")
        let queryFile = try TableFile(path: "\(data)/\(queries).f16.npy")
        let count = min(rows ?? .max, base.rows)
        let configuration = IndexConfiguration(
            IndexKind(rawValue: index)!, quantization: Quantization(rawValue: quantization)!,
            chosen: Dictionary(
                uniqueKeysWithValues: parameters.split(separator: ",").map { p in
                    let parts = p.split(separator: "=")
                    return (IndexParameter(rawValue: String(parts[0]))!, Int(parts[1])!)
                }))
        let vectors = IndexedVectors(dimension: base.columns, metric: .cosine, configuration: configuration)
        let before = try Machine.anonymousBytes()
        let clock = ContinuousClock()
        var start = clock.now
        for row in 0..<count { let v = base.floats(row); _ = vectors.insert(v.span) }
        print("inserted", (clock.now - start) / .seconds(1), "s", try Double(Machine.anonymousBytes() - before) / Double(count))
        start = clock.now
        while let work = vectors.beginWork() {
            let w = work
            let others = try (1..<threads).map { _ in try Thread("build") { w.run() } }
            work.run()
            for t in others { t.join() }
            vectors.finishWork(work)
        }
        let seconds = (clock.now - start) / .seconds(1)
        print(
            "built", seconds, "s", Double(count) / seconds, "vectors/s", try Double(Machine.anonymousBytes() - before) / Double(count),
            "bytes/vector", vectors.statistics)
        let qs = (0..<queryFile.rows).map { queryFile.floats($0) }
        var exact: [[UInt32]] = []
        start = clock.now
        if count == base.rows {
            let fd = open("\(data)/\(truth).npy", O_RDONLY)
            lseek(fd, 128, SEEK_SET)
            var buffer = [Int32](repeating: 0, count: 2000 * 100)
            let n = read(fd, &buffer, 800_000)
            precondition(n == 800_000)
            exact = (0..<2000).map { q in (0..<10).map { UInt32(buffer[q * 100 + $0]) } }
        } else {
            exact = qs.map { q in vectors.search(q.span, SearchRequest(count: 10, isExact: true)).neighbors.map(\.row.rawValue) }
        }
        if selfs {
            for ef in [16, 64, 200] {
                var missed = 0
                for row in 0..<count {
                    let v = base.floats(row)
                    if vectors.search(v.span, SearchRequest(count: 1, ef: ef)).neighbors.first!.distance > 1e-5 { missed += 1 }
                }
                print("self misses at ef", ef, missed, "of", count)
            }
        }
        if filters {
            for share in [0.9, 0.5, 0.3, 0.1, 0.03, 0.01, 0.001] {
                for mode in ["random", "near", "far", "middle"] {
                    var hits = 0, total = 0, scored = 0
                    var time = Duration.zero, exactTime = Duration.zero
                    var strategies: [String: Int] = [:]
                    for (i, q) in qs.prefix(200).enumerated() {
                        var filter = RowSet()
                        let n = Int(Double(count) * share)
                        if mode == "random" {
                            var g = SplitMix64(state: UInt64(i))
                            for row in 0..<count where Double.random(in: 0..<1, using: &g) < share { filter.insert(Row(UInt32(row))) }
                        } else {
                            let all = vectors.search(q.span, SearchRequest(count: count, isExact: true)).neighbors
                            let picked =
                                mode == "near"
                                ? all.prefix(n) : mode == "far" ? all.suffix(n) : all[(count / 2)..<min(count, count / 2 + n)]
                            for p in picked { filter.insert(p.row) }
                        }
                        var o = SearchRequest(count: 10, filter: filter)
                        var found: SearchOutcome!
                        time += clock.measure { found = vectors.search(q.span, o) }
                        strategies[found.filter!.strategy.rawValue, default: 0] += 1
                        scored += found.scored
                        o.isExact = true
                        var truth: SearchOutcome!
                        exactTime += clock.measure { truth = vectors.search(q.span, o) }
                        let t = Set(truth.neighbors.map(\.row))
                        hits += found.neighbors.count { t.contains($0.row) }
                        total += t.count
                    }
                    print(
                        share, mode, "recall", Double(hits) / Double(total), "µs", time / .microseconds(200), "exact µs",
                        exactTime / .microseconds(200), "scored", scored / 200, strategies)
                }
            }
        }
        let few = qs.prefix(200)
        start = clock.now
        var scored = 0
        for q in few { scored += vectors.search(q.span, SearchRequest(count: 10, isExact: true)).scored }
        print("exact", Double(few.count) / ((clock.now - start) / .seconds(1)), "queries/s", scored / few.count)
        for ef in efs.split(separator: ",").map({ Int($0)! }) {
            var best = 0.0
            var hits = 0
            var scored = 0
            for _ in 0..<repeats {
                if searchThreads > 1 {
                    nonisolated(unsafe) let v = vectors
                    start = clock.now
                    let ts = try (0..<searchThreads).map { t in
                        try Thread("s") {
                            for i in stride(from: t, to: qs.count, by: searchThreads) {
                                let q = qs[i]; _ = v.search(q.span, SearchRequest(count: 10, ef: ef))
                            }
                        }
                    }
                    for t in ts { t.join() }
                    best = max(best, Double(qs.count) / ((clock.now - start) / .seconds(1)))
                    continue
                }
                hits = 0
                scored = 0
                start = clock.now
                for (i, q) in qs.enumerated() {
                    let o = vectors.search(q.span, SearchRequest(count: 10, ef: ef))
                    scored += o.scored
                    for n in o.neighbors where exact[i].contains(n.row.rawValue) { hits += 1 }
                }
                best = max(best, Double(qs.count) / ((clock.now - start) / .seconds(1)))
            }
            print("ef", ef, "recall", Double(hits) / Double(qs.count * 10), "qps", Int(best), "scored", scored / qs.count)
        }
    }
}
