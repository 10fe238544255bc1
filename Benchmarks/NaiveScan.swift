import VectorSearch

/// The nearest rows by the definition of the metric, in `Double`: what searches are held against.
enum NaiveScan {
    static func nearest(_ count: Int, to query: [Float], in store: VectorStore) -> [Row] {
        var distances: [(distance: Double, row: Row)] = []
        for row in store.liveRows {
            let found = store.withVector(row) { distance(store.metric, query.span, $0) }
            distances.append((found, row))
        }
        distances.sort { ($0.distance, $0.row) < ($1.distance, $1.row) }
        return distances.prefix(count).map(\.row)
    }

    static func distance(_ metric: Metric, _ left: Span<Float>, _ right: Span<Float>) -> Double {
        var product = 0.0
        var leftSquares = 0.0
        var rightSquares = 0.0
        var squaredDifferences = 0.0
        for index in left.indices {
            let (a, b) = (Double(left[index]), Double(right[index]))
            product += a * b
            leftSquares += a * a
            rightSquares += b * b
            squaredDifferences += (a - b) * (a - b)
        }
        return switch metric {
        case .cosine: 1 - product / (leftSquares * rightSquares).squareRoot()
        case .dot: -product
        case .l2: squaredDifferences.squareRoot()
        }
    }
}
