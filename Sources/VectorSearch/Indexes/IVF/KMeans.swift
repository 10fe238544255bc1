/// Centroids that many vectors are near to: Lloyd's iterations ("Least squares quantization in PCM", 1982) from the seeds of
/// k-means++ (Arthur and Vassilvitskii, SODA 2007).
///
/// Spherical (Dhillon and Modha 2001) for vectors of norm 1: centroids are of norm 1 too. A centroid that no vector is
/// nearest to becomes the vector that is farthest from its own. The iterations end when the sum of distances falls by less
/// than a thousandth, and after four: with eight, 115,659 text embeddings in 1,360 lists are found with 4 % fewer rows compared, which
/// is not worth a fifth of the time that it takes to make the index.
struct KMeans {
    /// `l2`, or `dot` for vectors of norm 1.
    private let metric: Metric
    private let instructionSet: InstructionSet
    private let points: VectorTable
    private let centroids: VectorTable

    private static var maxIterations: Int { 4 }

    /// - Parameter count: of centroids, at most the number of points.
    static func centroids(
        _ count: Int, of points: VectorTable, metric: Metric, _ instructionSet: InstructionSet, _ random: inout SeededRandom
    ) -> VectorTable {
        precondition(1...points.count ~= count, "a centroid begins as a point")
        let means = KMeans(
            metric: metric, instructionSet: instructionSet, points: points,
            centroids: VectorTable(count: count, dimension: points.dimension))
        means.seed(&random)
        means.iterate()
        return means.centroids
    }

    /// What the squared distance is proportional to.
    private func cost(_ distance: Float) -> Double {
        metric == .l2 ? Double(distance) * Double(distance) : max(0, 1 + Double(distance))
    }

    private func seed(_ random: inout SeededRandom) {
        var costs = [Double](repeating: .infinity, count: points.count)
        var distances = [Float](repeating: 0, count: points.count)
        var next = Int.random(in: 0..<points.count, using: &random)
        for number in 0..<centroids.count {
            centroids[number].update(from: points[next], count: points.dimension)
            points.computeDistances(
                of: centroids[number], to: 0..<points.count, metric: metric, instructionSet, into: &distances)
            var total = 0.0
            for point in costs.indices {
                costs[point] = min(costs[point], cost(distances[point]))
                total += costs[point]
            }
            // The point at which a random part of the total is reached: as likely as its cost is great.
            var part = Double.random(in: 0..<1, using: &random) * total
            next =
                costs.firstIndex { cost in
                    part -= cost
                    return part < 0
                } ?? Int.random(in: 0..<points.count, using: &random)
        }
    }

    private func iterate() {
        var last = Double.infinity
        for _ in 0..<Self.maxIterations {
            let nearest = NearestCentroids(of: points, among: centroids, metric: metric, instructionSet)
            let total = nearest.distances.reduce(0) { $0 + cost($1) }
            guard total < last * 0.999 else { return }
            last = total
            move(nearest.numbers.map(Int.init), nearest.distances)
        }
    }

    private func move(_ lists: [Int], _ distances: [Float]) {
        var counts = [Int](repeating: 0, count: centroids.count)
        for list in lists { counts[list] += 1 }
        for number in counts.indices where counts[number] > 0 {
            centroids[number].update(repeating: 0, count: centroids.stride)
        }
        for (point, list) in lists.enumerated() {
            // Divided before they are added, lest the sum of the largest vectors overflow.
            let share = 1 / Float(counts[list])
            let sum = centroids[list]
            let vector = points[point]
            for component in 0..<points.dimension { sum[component] += vector[component] * share }
        }

        var farthest: [Int] = []
        for number in counts.indices {
            if counts[number] == 0 {
                if farthest.isEmpty { farthest = distances.indices.sorted { distances[$0] < distances[$1] } }
                centroids[number].update(from: points[farthest.removeLast()], count: points.dimension)
            } else if metric == .dot {
                let norm = VectorStore.norm(of: UnsafeBufferPointer(start: centroids[number], count: points.dimension).span)
                if norm > 0 { centroids.scale(number, by: Float(1 / norm)) }
            }
        }
    }
}

/// The centroid that is nearest to each of many vectors.
struct NearestCentroids {
    private(set) var numbers: [UInt32]
    private(set) var distances: [Float]

    /// Compares some vectors with some centroids at a time, which stay in the second-level cache meanwhile: of 979
    /// centroids of 384 components, which do not fit, an index is made a tenth faster.
    init(of vectors: VectorTable, among centroids: VectorTable, metric: Metric, _ instructionSet: InstructionSet) {
        numbers = Array(repeating: 0, count: vectors.count)
        distances = Array(repeating: .infinity, count: vectors.count)
        let tile = max(4, min(centroids.count, (64 << 10) / centroids.stride))
        withUnsafeTemporaryAllocation(of: Float.self, capacity: tile) { computed in
            for firstVector in stride(from: 0, to: vectors.count, by: 64) {
                for first in stride(from: 0, to: centroids.count, by: tile) {
                    let range = first..<min(first + tile, centroids.count)
                    for vector in firstVector..<min(firstVector + 64, vectors.count) {
                        centroids.computeDistances(
                            of: vectors[vector], to: range, metric: metric, instructionSet, into: computed.baseAddress!)
                        var nearest = distances[vector]
                        for (index, number) in range.enumerated() where computed[index] < nearest {
                            nearest = computed[index]
                            numbers[vector] = UInt32(number)
                        }
                        distances[vector] = nearest
                    }
                }
            }
        }
    }
}
