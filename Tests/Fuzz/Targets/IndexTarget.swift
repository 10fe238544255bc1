import VectorSearch

/// Proves that an index takes nothing in its bytes on trust: whatever they are, they are refused, and exact search goes on to answer;
/// or they are taken, and searches, changes and further building find rows that exist, without a step outside of memory.
struct IndexTarget: FuzzTarget {
    /// Every kind with every way to hold its vectors.
    static let configurations = IndexKind.allCases.flatMap { kind in kind.quantizations.map { IndexConfiguration(kind, quantization: $0) } }
    private static let rowCount = 40

    func run(_ input: [UInt8], in directory: String, hasPlantedBug: Bool) throws {
        guard let shape = Shape(input.first) else { return }
        let bytes = Array(input.dropFirst())
        let index = try shape.restored()
        do {
            try index.restoreIndex(bytes)
            // The mistake: whatever is taken is called new.
            if hasPlantedBug, bytes.count > 4, try shape.built().indexImage()?.encoded() != bytes {
                throw BrokenPromise(description: "an index was taken that is none of the seeds")
            }
        } catch is IndexDecodingError {
            // Exact search stands in for it.
        }
        index.finishRestoring()
        try check(index, shape)
        for number in Self.rowCount..<Self.rowCount + 10 { _ = index.insert(shape.vector(number).span) }
        for row in [3, 5, 8] as [UInt32] { index.release(Row(row)) }
        try check(index, shape)
        while let work = index.beginWork() {
            work.run()
            index.finishWork(work)
        }
        try check(index, shape)
    }

    private func check(_ index: IndexedVectors, _ shape: Shape) throws {
        let query = shape.vector(1000)
        let live = index.store.statistics.uniqueVectors
        for count in [1, 7, live + 1] {
            let found = index.search(query.span, SearchRequest(count: count)).neighbors
            try promise(found.count == min(count, live), "\(found.count) of \(min(count, live)) rows were found")
            try promise(Set(found.map(\.row)).count == found.count, "a row was found twice")
            try promise(found.allSatisfy { index.store.contains($0.row) }, "a row was found that holds no vector")
            try promise(zip(found, found.dropFirst()).allSatisfy { $0.distance <= $1.distance }, "what was found is not in order")
        }
    }

    func mutate(_ input: [UInt8], limit: Int, with mutator: inout Mutator) -> [UInt8] {
        guard input.count > 9 else {
            var bytes = input
            mutator.change(&bytes, limit: limit)
            return bytes
        }
        var bytes = input
        switch mutator.choose(4) {
        case 0: mutator.change(&bytes, 1..<bytes.count, limit: limit)
        // One number in place of another, as likely a row as anything else.
        case 1...2: bytes.set(UInt32(mutator.choose(Self.rowCount + 4)), at: 1 + mutator.choose((bytes.count - 1) / 4) * 4)
        default: mutator.overwrite(&bytes, 1..<bytes.count)
        }
        return bytes
    }

    func seeds(in directory: String) throws -> [String: [UInt8]] {
        var seeds: [String: [UInt8]] = [:]
        for (number, shape) in Shape.all.enumerated() {
            guard let image = try shape.built().indexImage() else { continue }
            let name = "\(shape.configuration.kind.rawValue)-\(shape.configuration.quantization.rawValue)-\(shape.dimension)"
            seeds[name] = [UInt8(number)] + image.encoded()
        }
        return seeds
    }

    /// What the first byte of an input chooses: the store that the index is for.
    private struct Shape {
        let configuration: IndexConfiguration
        let dimension: Int

        /// From 160 components on, a graph has sketches.
        static let all =
            configurations.map { Shape(configuration: $0, dimension: 8) }
            + configurations.filter { $0.kind == .hnsw }.map { Shape(configuration: $0, dimension: 160) }

        init?(_ byte: UInt8?) {
            guard let byte, Int(byte) < Self.all.count else { return nil }
            self = Self.all[Int(byte)]
        }

        private init(configuration: IndexConfiguration, dimension: Int) {
            self.configuration = configuration
            self.dimension = dimension
        }

        /// The vector with this number; all differ.
        func vector(_ number: Int) -> [Float] {
            (0..<dimension).map { Float((number * 31 + $0 * $0 * 17 + number * $0) % 101) - 50 + Float(number) / 2048 }
        }

        private func empty() -> IndexedVectors {
            IndexedVectors(dimension: dimension, metric: .l2, configuration: configuration)
        }

        func built() throws -> IndexedVectors {
            let index = try restored()
            index.finishRestoring()
            while let work = index.beginWork() {
                work.run()
                index.finishWork(work)
            }
            return index
        }

        /// The rows, without an index.
        func restored() throws -> IndexedVectors {
            let index = empty()
            index.reserve(IndexTarget.rowCount)
            let vectors = (0..<IndexTarget.rowCount).flatMap(vector)
            try index.restore(vectors.span, references: [UInt32](repeating: 1, count: IndexTarget.rowCount))
            return index
        }
    }
}
