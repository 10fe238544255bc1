import CVectorKernels

/// Centroids, and which is nearest to a vector: what sorts rows into lists.
///
/// k-means by Lloyd's iterations, begun with k-means++ (Arthur and Vassilvitskii, SODA 2007), over a sample. Under cosine the
/// points and the centroids have norm 1 (spherical k-means, Dhillon and Modha 2001). Under dot rows are sorted by Euclidean
/// distance, and lists are read in the order of the products of query and centroid.
final class CoarseQuantizer: Sendable {
    let dimension: Int
    let metric: Metric
    let count: Int
    /// One after the other, `dimension` floats each.
    let centroids: [Float]
    /// How many lists hold nearly all of the nearest rows, by what was seen in the sample.
    let usualProbes: Int
    private let set: quire_instruction_set
    /// All 1: centroids have norm 1 where that matters.
    private let inverseNorms: [Float]

    private static let iterations = 6
    /// Sample points for each centroid.
    private static let samplesPerCentroid = 16
    /// The share of neighbours in the sample that the usual probes reach.
    private static let calibratedShare = 0.965

    init(_ store: VectorStore, centroids: [Float], usualProbes: Int) {
        dimension = store.dimension
        metric = store.metric
        set = store.instructionSet.kernel
        count = centroids.count / store.dimension
        self.centroids = centroids
        self.usualProbes = usualProbes
        inverseNorms = Array(repeating: 1, count: count)
    }

    /// - Parameter rows: what is sorted; a sample of them, spread evenly, is copied.
    static func train(on rows: ArraySlice<Row>, of store: VectorStore, count: Int, _ memory: StoreMemory) -> CoarseQuantizer {
        var trainer = Trainer(
            sample: sample(of: rows, count * samplesPerCentroid, store, memory), store: store, count: min(count, rows.count))
        trainer.seed()
        for _ in 0..<iterations { trainer.iterate() }
        return CoarseQuantizer(store, centroids: trainer.centroids, usualProbes: trainer.calibrated(calibratedShare))
    }

    private static func sample(of rows: ArraySlice<Row>, _ limit: Int, _ store: VectorStore, _ memory: StoreMemory) -> [Float] {
        let size = min(limit, rows.count)
        var sample: [Float] = []
        sample.reserveCapacity(size * store.dimension)
        for number in 0..<size {
            let row = Int(rows[rows.startIndex + number * rows.count / size].rawValue)
            memory.pinned {
                let factor = store.metric == .cosine ? store.inverseNorms.base[row] : 1
                let vector = store.vectors.base + row * store.stride
                for index in 0..<store.dimension { sample.append(vector[index] * factor) }
            }
        }
        return sample
    }

    /// Writes the distance of a vector to each centroid. Under cosine the vector times `factor` has norm 1.
    func distances(of vector: UnsafePointer<Float>, factor: Float, by metric: Metric, into distances: UnsafeMutablePointer<Float>) {
        centroids.withUnsafeBufferPointer { centroids in
            inverseNorms.withUnsafeBufferPointer { inverseNorms in
                var block = quire_block(
                    query: vector, query_scale: factor, table: centroids.baseAddress!, inverse_norms: inverseNorms.baseAddress!,
                    stride: dimension, dimension: dimension, ids: nil, count: count)
                quire_distances(set, metric.kernel, &block, distances)
            }
        }
    }

    /// The list that a row belongs to.
    func list(of row: Row, in store: VectorStore, _ scratch: UnsafeMutablePointer<Float>) -> UInt32 {
        let offset = Int(row.rawValue)
        let factor = metric == .cosine ? store.inverseNorms.base[offset] : 1
        distances(of: store.vectors.base + offset * store.stride, factor: factor, by: sortingMetric, into: scratch)
        return UInt32((0..<count).min { scratch[$0] < scratch[$1] }!)
    }

    private var sortingMetric: Metric { metric == .dot ? .l2 : metric }

    /// The lists in the order in which a query reads them.
    func order(for query: PreparedQuery) -> [UInt32] {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { scratch in
            distances(of: query.vector, factor: 1, by: metric, into: scratch.baseAddress!)
            var keys = (0..<count).map { CandidateKey.pack(scratch[$0], UInt32($0)) }
            keys.sort()
            return keys.map(CandidateKey.row)
        }
    }
}

extension CoarseQuantizer {
    fileprivate struct Trainer {
        let sample: [Float]
        let dimension: Int
        let metric: Metric
        let count: Int
        let set: quire_instruction_set
        var centroids: [Float] = []
        /// The centroid of each point.
        var assignment: [Int] = []

        init(sample: [Float], store: VectorStore, count: Int) {
            self.sample = sample
            dimension = store.dimension
            metric = store.metric == .cosine ? .cosine : .l2
            set = store.instructionSet.kernel
            self.count = max(1, min(count, sample.count / store.dimension))
        }

        var points: Int { sample.count / dimension }

        /// Writes the distances of one vector to all of a table of vectors.
        private func distances(of vector: ArraySlice<Float>, to table: [Float], into distances: inout [Float]) {
            let rows = table.count / dimension
            let ones = [Float](repeating: 1, count: rows)
            vector.withUnsafeBufferPointer { vector in
                table.withUnsafeBufferPointer { table in
                    ones.withUnsafeBufferPointer { ones in
                        var block = quire_block(
                            query: vector.baseAddress!, query_scale: 1, table: table.baseAddress!, inverse_norms: ones.baseAddress!,
                            stride: dimension, dimension: dimension, ids: nil, count: rows)
                        quire_distances(set, metric.kernel, &block, &distances)
                    }
                }
            }
        }

        private func point(_ number: Int) -> ArraySlice<Float> { sample[number * dimension..<(number + 1) * dimension] }

        /// k-means++: each next centroid is a point, drawn with a probability that grows with the squared distance to those before.
        mutating func seed() {
            var random = SeededGenerator(state: 0x4956_4651)
            var nearest = [Float](repeating: .infinity, count: points)
            var found = [Float](repeating: 0, count: points)
            var next = 0
            centroids.reserveCapacity(count * dimension)
            for _ in 0..<count {
                centroids.append(contentsOf: point(next))
                distances(of: point(next), to: sample, into: &found)
                var total = 0.0
                for index in 0..<points {
                    nearest[index] = min(nearest[index], found[index])
                    total += weight(nearest[index])
                }
                var left = Double.random(in: 0..<1, using: &random) * total
                next = points - 1
                for index in 0..<points {
                    left -= weight(nearest[index])
                    if left < 0 {
                        next = index
                        break
                    }
                }
            }
        }

        /// The squared Euclidean distance, but for a factor.
        private func weight(_ distance: Float) -> Double {
            metric == .cosine ? Double(distance) : Double(distance) * Double(distance)
        }

        mutating func iterate() {
            assign()
            var sums = [Double](repeating: 0, count: count * dimension)
            var sizes = [Int](repeating: 0, count: count)
            for number in 0..<points {
                let centroid = assignment[number]
                sizes[centroid] += 1
                for index in 0..<dimension { sums[centroid * dimension + index] += Double(sample[number * dimension + index]) }
            }
            // A centroid that lost all its points stays where it is.
            for centroid in 0..<count where sizes[centroid] > 0 {
                let range = centroid * dimension..<(centroid + 1) * dimension
                var scale = 1 / Double(sizes[centroid])
                if metric == .cosine {
                    let norm = sums[range].reduce(0) { $0 + $1 * $1 }.squareRoot()
                    // Opposite points may cancel each other out.
                    guard norm > 1e-9 else { continue }
                    scale = 1 / norm
                }
                for index in range { centroids[index] = Float(sums[index] * scale) }
            }
        }

        private mutating func assign() {
            var found = [Float](repeating: 0, count: count)
            assignment = (0..<points).map { number in
                distances(of: point(number), to: centroids, into: &found)
                return found.indices.min { found[$0] < found[$1] }!
            }
        }

        /// How many lists it takes, in the order of a query's centroids, to reach a share of the ten nearest points of the sample's own.
        mutating func calibrated(_ share: Double) -> Int {
            assign()
            let queries = min(points, 100)
            var ranks: [Int] = []
            var toPoints = [Float](repeating: 0, count: points)
            var toCentroids = [Float](repeating: 0, count: count)
            for number in 0..<queries {
                let query = number * points / queries
                distances(of: point(query), to: sample, into: &toPoints)
                distances(of: point(query), to: centroids, into: &toCentroids)
                var nearest = NearestRows(limit: 11)
                for index in 0..<points where toPoints[index] <= nearest.bound {
                    nearest.offer(Neighbor(row: Row(UInt32(index)), distance: toPoints[index]))
                }
                for neighbor in nearest.sorted() where Int(neighbor.row.rawValue) != query {
                    let distance = toCentroids[assignment[Int(neighbor.row.rawValue)]]
                    ranks.append(toCentroids.count { $0 <= distance })
                }
            }
            guard !ranks.isEmpty else { return 1 }
            ranks.sort()
            return ranks[min(ranks.count - 1, Int(share * Double(ranks.count)))]
        }
    }
}
