import TestSupport
import Testing
import VectorSearch

extension SplitMix {
    mutating func vector(_ dimension: Int) -> [Float] {
        (0..<dimension).map { _ in Float.random(in: -1...1, using: &self) }
    }

    /// A vector of small integers, so that sums of products are exact and many vectors are equally far from a query.
    mutating func integers(_ dimension: Int) -> [Float] {
        (0..<dimension).map { _ in Float(Int.random(in: 1...3, using: &self)) }
    }

    /// A vector of norm 1, the nearest to itself under every metric.
    mutating func unitVector(_ dimension: Int) -> [Float] {
        let vector = vector(dimension)
        let norm = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        return vector.map { Float(Double($0) / norm) }
    }
}

/// The distance by definition.
func distance(_ metric: Metric, _ left: [Float], _ right: [Float]) -> Double {
    let pairs = zip(left.map(Double.init), right.map(Double.init))
    switch metric {
    case .cosine:
        let norms = [left, right].map { $0.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
        return 1 - pairs.reduce(0.0) { $0 + $1.0 * $1.1 } / (norms[0] * norms[1])
    case .dot:
        return -pairs.reduce(0.0) { $0 + $1.0 * $1.1 }
    case .l2:
        return pairs.reduce(0.0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    }
}

extension IndexConfiguration {
    /// Every kind with every way to hold its vectors: what contract tests go through.
    static let all: [IndexConfiguration] = IndexKind.allCases.flatMap { kind in
        // A graph of this quality is built quickly enough for tests without optimisation.
        let chosen: [IndexParameter: Int] = kind.parameters.contains(.efConstruction) ? [.efConstruction: 40, .m: 8] : [:]
        return kind.quantizations.map { IndexConfiguration(kind, quantization: $0, chosen: chosen) }
    }

    /// Those whose answers are the true ones.
    static let exact = all.filter(\.kind.isExact)
}

extension IndexConfiguration: CustomTestStringConvertible {
    public var testDescription: String { "\(kind.rawValue), \(quantization.rawValue)" }
}

/// `vectors` in rows 0, 1, 2, …, all of them in the index.
func makeIndex(
    _ configuration: IndexConfiguration, _ metric: Metric, _ vectors: [[Float]], dimension: Int = 16,
    instructionSet: InstructionSet = .best
) -> IndexedVectors {
    let index = IndexedVectors(dimension: dimension, metric: metric, configuration: configuration, instructionSet: instructionSet)
    for vector in vectors { _ = index.insert(vector) }
    index.build()
    return index
}

extension IndexedVectors {
    /// Does all the work there is.
    func build() {
        while let work = beginWork() {
            work.run()
            finishWork(work)
        }
    }

    /// Does the work there is with several threads.
    func build(threads: Int) throws {
        while let work = beginWork() {
            try onThreads(threads) { _ in work.run() }
            finishWork(work)
        }
    }
}

extension Array where Element: Hashable {
    var distinct: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}

// A span may not outlive a temporary; these keep the array alive for the call.

extension IndexedVectors {
    func search(_ query: [Float], count: Int, ef: Int? = nil, isExact: Bool = false, filter: RowSet? = nil) -> SearchOutcome {
        search(query.span, SearchRequest(count: count, ef: ef, isExact: isExact, filter: filter))
    }

    func insert(_ vector: [Float]) -> Row {
        insert(vector.span)
    }
}

extension VectorStore {
    func insert(_ vector: [Float]) -> Row {
        insert(vector.span)
    }
}

/// The share of the true neighbours that a search finds, over all queries.
func recall(of index: IndexedVectors, _ queries: [[Float]], count: Int = 10, ef: Int? = nil, filter: RowSet? = nil) -> Double {
    var found = 0
    var wanted = 0
    for query in queries {
        let truth = Set(index.search(query, count: count, isExact: true, filter: filter).neighbors.map(\.row))
        found += index.search(query, count: count, ef: ef, filter: filter).neighbors.count { truth.contains($0.row) }
        wanted += truth.count
    }
    return Double(found) / Double(wanted)
}

/// Vectors that vary in a dozen ways around some centres, whatever their dimension, as the vectors of texts about subjects do.
func clustered(_ count: Int, dimension: Int, clusters: Int = 30, seed: UInt64) -> [[Float]] {
    let ways = min(dimension, 12)
    // The centres and ways are the same for all seeds, so that queries are about the same subjects.
    var shape = SplitMix(seed: UInt64(dimension))
    let directions = (0..<ways).map { _ in shape.vector(dimension) }
    let centres = (0..<clusters).map { _ in shape.vector(ways) }
    var random = SplitMix(seed: seed)
    return (0..<count).map { number in
        let place = zip(centres[number % clusters], random.vector(ways)).map { $0 + $1 * 0.6 }
        var vector = random.vector(dimension).map { $0 * 0.1 }
        for (amount, direction) in zip(place, directions) {
            for index in vector.indices { vector[index] += amount * direction[index] }
        }
        return vector
    }
}
