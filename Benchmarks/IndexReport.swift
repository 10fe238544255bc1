import VectorSearch

/// The results of `quire-bench index`, for people and for programs.
struct IndexReport {
    let data: String
    let rows: Int
    let dimension: Int
    let metric: Metric
    let count: Int
    let threads: Int

    /// One setting with one number of threads.
    struct Point {
        let setting: Int
        let threads: Int
        var measurements: [IndexTrial.Measurement] = []

        /// Recall is the same each time, unless a measurement ended early.
        var recall: Double { measurements.map(\.recall).reduce(0, +) / Double(measurements.count) }
        var scored: Double { measurements.map(\.scored).reduce(0, +) / Double(measurements.count) }
        var rate: Double { measurements.map(\.rate).sorted()[measurements.count / 2] }

        var json: JSONText {
            [
                "setting": .int(setting), "threads": .int(threads), "recall": .double(recall), "scored": .double(scored),
                "queries_per_second": .double(rate), "rounds": .array(measurements.map { .double($0.rate) }),
            ]
        }
    }

    struct Result {
        let name: String
        let configuration: IndexConfiguration
        let parameter: IndexParameter?
        let building: IndexTrial.Building
        var points: [Point] = []

        func rate(at recall: Double, threads: Int) -> Double? {
            Sweep.rate(at: recall, of: points.filter { $0.threads == threads }.map { ($0.recall, $0.rate) })
        }
    }

    private var threadCounts: [Int] { Set([1, threads]).sorted() }

    // MARK: For people

    func printHead() {
        print("\(Machine.processorName), \(Machine.processorCount) processors, \(InstructionSet.best.rawValue)")
        print("\(data): \(rows) vectors of \(dimension), \(metric.rawValue); recall@\(count)")
    }

    func printTable(of result: Result) {
        let building = result.building
        let seconds = building.total / .seconds(1)
        let parameters = result.configuration.kind.parameters.map { "\($0.rawValue) \(result.configuration[$0])" }
        print("\n\(result.name)" + (parameters.isEmpty ? "" : ": " + parameters.joined(separator: ", ")))
        print("  built in \(rounded(seconds, 2)) s with \(threads) threads, \(rounded(Double(rows) / seconds, 0)) vectors/s")
        print(
            "  bytes/vector: \(perVector(building.bytes)) measured, \(perVector(building.countedBytes)) as the engine counts, "
                + "\(perVector(building.peakBytes)) at most while building")
        print("  \(right(result.parameter?.rawValue ?? "", 10))\(right("recall", 9))\(right("scored", 10))", terminator: "")
        print(threadCounts.map { right($0 == 1 ? "one thread/s" : "\($0) threads/s", 15) }.joined())
        for setting in Set(result.points.map(\.setting)).sorted() {
            let points = threadCounts.map { threads in result.points.first { $0.setting == setting && $0.threads == threads }! }
            let label = result.parameter == nil ? "" : "\(setting)"
            print(
                "  \(right(label, 10))\(right(rounded(points[0].recall, 4), 9))\(right(rounded(points[0].scored, 0), 10))", terminator: "")
            print(points.map { right(rounded($0.rate, 0), 15) }.joined())
        }
        for target in Sweep.targets where result.parameter != nil {
            let rates = threadCounts.map { result.rate(at: target, threads: $0).map { rounded($0, 0) } ?? "–" }
            print("  \(right("at", 10))\(right(rounded(target, 3), 9))\(right("", 10))" + rates.map { right($0, 15) }.joined())
        }
    }

    private func perVector(_ bytes: Int) -> String { rounded(Double(bytes) / Double(rows), 0) }

    private func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(width - text.count, 1)) + text
    }

    // MARK: For programs

    func json(of results: [Result]) -> JSONText {
        [
            "machine": .string(Machine.processorName), "processors": .int(Machine.processorCount),
            "instruction_set": .string(InstructionSet.best.rawValue), "data": .string(data), "rows": .int(rows),
            "dimension": .int(dimension), "metric": .string(metric.rawValue), "count": .int(count), "threads": .int(threads),
            "indexes": .array(results.map(json(of:))),
        ]
    }

    func json(of result: Result) -> JSONText {
        let building = result.building
        let parameters = result.configuration.kind.parameters.map { ($0.rawValue, JSONText.int(result.configuration[$0])) }
        let members: [(String, JSONText)] = [
            ("name", .string(result.name)), ("index", .string(result.configuration.kind.rawValue)),
            ("quantization", .string(result.configuration.quantization.rawValue)), ("parameters", .object(parameters)),
            ("insert_seconds", .double(building.inserting / .seconds(1))), ("build_seconds", .double(building.total / .seconds(1))),
            ("vectors_per_second", .double(Double(rows) / (building.total / .seconds(1)))),
            ("bytes_per_vector", .double(Double(building.bytes) / Double(rows))),
            ("counted_bytes_per_vector", .double(Double(building.countedBytes) / Double(rows))),
            ("peak_bytes_per_vector", .double(Double(building.peakBytes) / Double(rows))),
            ("points", .array(result.points.map(\.json))),
            (
                "rates",
                .array(
                    result.points.isEmpty
                        ? []
                        : Sweep.targets.flatMap { target in
                            threadCounts.map { threads in
                                [
                                    "recall": .double(target), "threads": .int(threads),
                                    "queries_per_second": result.rate(at: target, threads: threads).map { .double($0) } ?? .null,
                                ]
                            }
                        })
            ),
        ]
        return .object(members)
    }

    func chart(of results: [Result]) -> RecallChart {
        let panels = threadCounts.map { threads in
            RecallChart.Panel(
                title: threads == 1 ? "one thread" : "\(threads) threads",
                series: results.map { result in
                    RecallChart.Series(
                        name: result.name, points: result.points.filter { $0.threads == threads }.map { ($0.recall, $0.rate) })
                })
        }
        return RecallChart(
            title: "Queries per second against recall@\(count)", subtitle: "\(rows) vectors of \(dimension), \(metric.rawValue)",
            panels: panels)
    }
}
