import ArgumentParser
import Glibc
import VectorSearch

/// Indexes over a real set of vectors: what building costs, and how many queries a second they answer at which recall.
struct Index: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Builds indexes over the vectors of a directory, and measures recall against throughput.",
        discussion: """
            The directory holds base.f16.npy, base.npy or base.fvecs, queries likewise, and may hold the exact answers:
            exact_METRIC.npy or .ivecs, row numbers with the nearest first. Without them they are computed.
            """)

    @Option(help: "The directory with the vectors.")
    var data: String

    @Option(help: "hnsw, ivf, lsh, kd_tree, brute_force or auto, or several with commas between.")
    var index = List([IndexKind.hnsw])

    @Option(help: "none or int8, or both with a comma between: each index is measured with those it knows.")
    var quantization = List([Quantization.none])

    @Option(help: "cosine, dot or l2.")
    var metric = Metric.cosine

    @Option(help: "At most that many vectors are used, the first ones.")
    var rows: Int?

    @Option(help: "At most that many queries are used, the first ones.")
    var queries: Int?

    @Option(help: "The number of neighbours a query asks for.")
    var count = 10

    @Option(help: "The number of threads that build; searches are measured with one and with as many.")
    var threads = Machine.processorCount

    @Option(help: "A parameter of the index, such as m=16; may be given several times. Indexes without it ignore it.")
    var parameter: [ParameterChoice] = []

    @Option(help: "Values of ef, nprobe or probes, with commas between. Default: some, and more where recall crosses .95, .99 and .999.")
    var sweep: List<Int>?

    @Option(help: "How often each point is measured, going round; the median counts.")
    var rounds = 3

    @Option(help: "Writes the results to this file too.")
    var json: String?

    @Option(help: "Draws the curves to this file.")
    var svg: String?

    @Flag(
        help: """
            Builds one index, says so in a line of JSON, and answers each line "SETTING THREADS" of standard input with one \
            measurement. Benchmarks/peers.py asks so.
            """)
    var serve = false

    func validate() throws {
        guard rows ?? 1 > 0, queries ?? 1 > 0, count > 0, threads > 0, rounds > 0 else {
            throw ValidationError("--rows, --queries, --count, --threads and --rounds are positive numbers.")
        }
        for kind in index.values where !quantization.values.contains(where: kind.quantizations.contains) {
            throw ValidationError("\(kind.rawValue) knows none of the quantizations given.")
        }
        for choice in parameter where !index.values.contains(where: { $0.parameters.contains(choice.parameter) }) {
            throw ValidationError("None of the indexes given has a parameter \(choice.parameter.rawValue).")
        }
        guard !serve || configurations.count == 1 else { throw ValidationError("--serve serves one index.") }
    }

    private var configurations: [IndexConfiguration] {
        index.values.flatMap { kind in
            let chosen = parameter.filter { kind.parameters.contains($0.parameter) }.map { ($0.parameter, $0.value) }
            return quantization.values.filter(kind.quantizations.contains).map { quantization in
                IndexConfiguration(kind, quantization: quantization, chosen: Dictionary(chosen) { $1 })
            }
        }
    }

    func run() throws {
        let source = try StoredVectors(directory: data, limit: rows)
        let report = IndexReport(
            data: data, rows: source.baseCount, dimension: source.dimension, metric: metric, count: count, threads: threads)
        if !serve { report.printHead() }
        var results: [IndexReport.Result] = []
        for configuration in configurations {
            var progress = Progress()
            let sweep = Sweep(for: configuration.kind, settings: sweep?.values)
            let trial = try IndexTrial(
                configuration, sweep: sweep, over: source, metric: metric, queries: queries ?? .max, count: count)
            let building = try trial.build(threads: threads, &progress)
            try trial.findTruth(threads: threads, &progress)
            var result = IndexReport.Result(name: trial.name, configuration: configuration, parameter: sweep.parameter, building: building)
            if serve {
                progress.clear()
                try answer(trial, report.json(of: result))
            } else {
                result.points = try points(of: trial, &progress)
                progress.clear()
                report.printTable(of: result)
                results.append(result)
            }
        }
        if let json { try write(report.json(of: results).text + "\n", to: json) }
        if let svg { try write(report.chart(of: results).svg, to: svg) }
    }

    private func points(of trial: IndexTrial, _ progress: inout Progress) throws -> [IndexReport.Point] {
        var recalls: [Int: Double] = [:]
        func look(at settings: [Int]) throws {
            for setting in settings {
                progress.show("\(trial.name): recall at \(setting)")
                recalls[setting] = try trial.measure(setting, threads: threads).recall
            }
        }
        try look(at: trial.sweep.settings)
        if sweep == nil {
            for _ in 0..<2 { try look(at: Sweep.refinement(of: recalls)) }
        }

        var points: [IndexReport.Point] = []
        for setting in recalls.keys.sorted() {
            for threads in Set([1, threads]).sorted() { points.append(IndexReport.Point(setting: setting, threads: threads)) }
        }
        for round in 1...rounds {
            for number in points.indices {
                progress.show("\(trial.name): round \(round) of \(rounds), point \(number + 1) of \(points.count)")
                points[number].measurements.append(try trial.measure(points[number].setting, threads: points[number].threads))
            }
        }
        return points
    }

    /// One line in, one line out, until standard input ends.
    private func answer(_ trial: IndexTrial, _ greeting: JSONText) throws {
        print(greeting.text)
        fflush(nil)
        while let line = readLine() {
            let numbers = line.split(separator: " ").compactMap { Int($0) }
            guard numbers.count == 2, numbers[0] >= 0, numbers[1] > 0 else { throw ValidationError("not SETTING THREADS: \(line)") }
            var point = IndexReport.Point(setting: numbers[0], threads: numbers[1])
            point.measurements = [try trial.measure(point.setting, threads: point.threads)]
            print(point.json.text)
            fflush(nil)
        }
    }
}

/// Values with commas between.
struct List<Value: ExpressibleByArgument>: ExpressibleByArgument {
    let values: [Value]

    init(_ values: [Value]) {
        self.values = values
    }

    init?(argument: String) {
        values = argument.split(separator: ",").compactMap { Value(argument: String($0)) }
        guard !values.isEmpty, values.count == argument.split(separator: ",", omittingEmptySubsequences: false).count else { return nil }
    }

    var defaultValueDescription: String { values.map(\.defaultValueDescription).joined(separator: ",") }
}

struct ParameterChoice: ExpressibleByArgument {
    let parameter: IndexParameter
    let value: Int

    init?(argument: String) {
        let parts = argument.split(separator: "=")
        guard parts.count == 2, let parameter = IndexParameter(rawValue: String(parts[0])), let value = Int(parts[1]),
            parameter.range.contains(value)
        else { return nil }
        (self.parameter, self.value) = (parameter, value)
    }
}

extension IndexKind: ExpressibleByArgument {}
extension Quantization: ExpressibleByArgument {}
