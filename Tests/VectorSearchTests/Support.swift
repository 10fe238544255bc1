import TestSupport
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

/// A store and an index that hold `vectors` in rows 0, 1, 2, …
func makeIndex(
    _ kind: IndexKind, _ metric: Metric, _ vectors: [[Float]], dimension: Int = 16, instructionSet: InstructionSet = .best
) -> (store: VectorStore, index: any VectorIndex) {
    let store = VectorStore(dimension: dimension, metric: metric, instructionSet: instructionSet)
    let index = kind.makeIndex(over: store)
    for vector in vectors { index.insert(store.insert(vector)) }
    return (store, index)
}

extension Array where Element: Hashable {
    var distinct: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}

// A span may not outlive a temporary; these keep the array alive for the call.

extension VectorIndex {
    func search(_ query: [Float], count: Int) -> SearchOutcome {
        search(query.span, count: count)
    }
}

extension VectorStore {
    func insert(_ vector: [Float]) -> Row {
        insert(vector.span)
    }
}
