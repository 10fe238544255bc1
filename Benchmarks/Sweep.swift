import Glibc
import VectorSearch

/// The search parameter of an index, which trades recall for speed, and the values at which it is measured.
struct Sweep {
    let parameter: IndexParameter?
    let settings: [Int]

    /// - Parameter settings: nil chooses by the kind. A kind that has nothing to choose has one setting, which means nothing.
    init(for kind: IndexKind, settings: [Int]? = nil) {
        switch kind {
        case .auto, .hnsw: (parameter, self.settings) = (.efSearch, settings ?? [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 400, 800])
        case .ivf: (parameter, self.settings) = (.nprobe, settings ?? [1, 2, 4, 8, 16, 32, 64, 128])
        case .lsh: (parameter, self.settings) = (.probes, settings ?? [1, 2, 4, 8, 16, 32, 64, 128, 256])
        case .bruteForce, .kdTree: (parameter, self.settings) = (nil, [0])
        }
    }

    static let targets = [0.95, 0.99, 0.999]

    /// Settings between those measured, where recall crosses a target.
    static func refinement(of recalls: [Int: Double]) -> [Int] {
        let settings = recalls.keys.sorted()
        var between: Set<Int> = []
        for (low, high) in zip(settings, settings.dropFirst()) {
            let middle = Int((Double(low) * Double(high)).squareRoot().rounded())
            guard low < middle, middle < high else { continue }
            if targets.contains(where: { recalls[low]! < $0 && $0 <= recalls[high]! }) { between.insert(middle) }
        }
        return between.sorted()
    }

    /// Queries per second at a recall: between two settings their logarithm is taken as linear in recall. nil beyond the last
    /// setting; at or below the recall of the first, its rate.
    static func rate(at recall: Double, of points: [(recall: Double, rate: Double)]) -> Double? {
        guard let first = points.first else { return nil }
        if first.recall >= recall { return first.rate }
        for (low, high) in zip(points, points.dropFirst()) where low.recall < recall && recall <= high.recall {
            let share = (recall - low.recall) / (high.recall - low.recall)
            return exp(log(low.rate) * (1 - share) + log(high.rate) * share)
        }
        return nil
    }
}
