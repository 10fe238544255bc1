/// The hyperplanes of all hash tables, and on which side of each a vector is: bit b of table t is set if the vector is on the
/// positive side of hyperplane t · `bits` + b.
///
/// Random hyperplanes are Charikar's ("Similarity estimation techniques from rounding algorithms", STOC 2002, section 3): two
/// vectors are on different sides of one with a probability that grows with their angle. Deviations:
/// - A hyperplane does not go through the origin but through the median of some rows, so it halves them even if all rows
///   point to one side, as text embeddings do. That makes it of use under l2 too, where what counts is the distance to the
///   hyperplane and not the angle.
/// - A normal is not equally likely to point anywhere but is a random combination of differences of rows (as in Kulis and
///   Grauman, "Kernelized locality-sensitive hashing", ICCV 2009, without their whitening), so it more likely points to where rows
///   differ. On text embeddings (20,000 × 384, 8 tables of 12 bits) that brings the rows compared for a recall of 0.97
///   from 40 % to 26 %.
/// - The normals of a table are orthogonal to each other as far as there are dimensions (Ji et al., "Super-bit
///   locality-sensitive hashing", NIPS 2012): they tell more together than independent ones.
/// - Under dot rows are scaled by the largest norm and get one more component that makes their norm 1, which in queries is 0;
///   then the greatest product is the smallest angle (Neyshabur and Srebro, "On symmetric and asymmetric LSHs for inner product
///   search", ICML 2015). Rows that come later and are longer count as that long.
final class Hyperplanes {
    let tables: Int
    let bits: Int
    /// Of norm 1 over all components, the additional one included.
    let normals: VectorTable
    /// The additional component of each normal; 0 unless the metric is dot.
    let additional: [Float]
    /// The product of each normal with what lies on its hyperplane.
    let offsets: [Float]
    /// What vectors are divided by: the largest norm of the sample, 1 under cosine.
    let largestNorm: Float
    private let metric: Metric
    private let instructionSet: InstructionSet

    var count: Int { normals.count }
    var sizeInBytes: Int { normals.sizeInBytes + (additional.count + offsets.count) * MemoryLayout<Float>.stride }

    init(
        tables: Int, bits: Int, normals: VectorTable, additional: [Float], offsets: [Float], largestNorm: Float, over store: VectorStore
    ) {
        self.tables = tables
        self.bits = bits
        self.normals = normals
        self.additional = additional
        self.offsets = offsets
        self.largestNorm = largestNorm
        metric = store.metric
        instructionSet = store.instructionSet
    }

    /// Draws normals and lays their hyperplanes through the medians of `sample`.
    convenience init(tables: Int, bits: Int, sample: VectorTable, over store: VectorStore, _ random: inout SeededRandom) {
        let norms = (0..<sample.count).map { Self.norm(sample[$0], store.dimension) }
        let largestNorm = store.metric == .cosine ? 1 : max(norms.max() ?? 1, .leastNormalMagnitude)
        var drawing = NormalDrawing(
            sample: sample, scale: 1 / largestNorm,
            sampleAdditional: store.metric == .dot ? norms.map { Self.additional(ofNorm: $0 / largestNorm) } : nil,
            normals: VectorTable(count: tables * bits, dimension: store.dimension))
        for number in 0..<tables * bits {
            // Against those before it in its table; every `dimension` of them, a new set begins.
            let first = number / bits * bits + number % bits / store.dimension * store.dimension
            drawing.draw(number, orthogonalTo: first..<number, &random)
        }
        let centered = Hyperplanes(
            tables: tables, bits: bits, normals: drawing.normals, additional: drawing.additional,
            offsets: [Float](repeating: 0, count: tables * bits), largestNorm: largestNorm, over: store)
        self.init(
            tables: tables, bits: bits, normals: drawing.normals, additional: drawing.additional, offsets: centered.medians(of: sample),
            largestNorm: largestNorm, over: store)
    }

    private static func norm(_ vector: UnsafePointer<Float>, _ dimension: Int) -> Float {
        Float(VectorStore.norm(of: UnsafeBufferPointer(start: vector, count: dimension).span))
    }

    /// What makes the norm 1.
    private static func additional(ofNorm norm: Float) -> Float {
        max(0, 1 - norm * norm).squareRoot()
    }

    private func medians(of sample: VectorTable) -> [Float] {
        guard sample.count > 0 else { return offsets }
        var margins = [Float](repeating: 0, count: count)
        var values = [Float](repeating: 0, count: count * sample.count)
        for row in 0..<sample.count {
            computeMargins(ofRow: sample[row], into: &margins)
            for number in 0..<count { values[number * sample.count + row] = margins[number] }
        }
        return (0..<count).map { number in
            values[number * sample.count..<(number + 1) * sample.count].sorted()[sample.count / 2]
        }
    }

    /// How far a row is on the positive side of each hyperplane. Under cosine the row is of norm 1.
    func computeMargins(ofRow row: UnsafePointer<Float>, into margins: UnsafeMutablePointer<Float>) {
        guard metric == .dot else { return computeMargins(row, factor: 1 / largestNorm, additional: 0, into: margins) }
        let norm = Self.norm(row, normals.dimension) / largestNorm
        // Longer rows count as the longest.
        computeMargins(row, factor: 1 / (largestNorm * max(norm, 1)), additional: Self.additional(ofNorm: norm), into: margins)
    }

    /// The same of a query.
    func computeMargins(ofQuery query: UnsafePointer<Float>, into margins: UnsafeMutablePointer<Float>) {
        guard metric == .dot else { return computeMargins(query, factor: 1 / largestNorm, additional: 0, into: margins) }
        let norm = Self.norm(query, normals.dimension)
        computeMargins(query, factor: 1 / max(norm, .leastNormalMagnitude), additional: 0, into: margins)
    }

    private func computeMargins(
        _ vector: UnsafePointer<Float>, factor: Float, additional value: Float, into margins: UnsafeMutablePointer<Float>
    ) {
        normals.computeDistances(of: vector, to: 0..<count, metric: .dot, instructionSet, into: margins)
        for number in 0..<count {
            margins[number] = additional[number] * value - margins[number] * factor - offsets[number]
        }
    }

    /// The code of each table, from the margins.
    func code(ofTable table: Int, _ margins: UnsafePointer<Float>) -> UInt32 {
        var code: UInt32 = 0
        for bit in 0..<bits where margins[table * bits + bit] > 0 { code |= 1 << UInt32(bit) }
        return code
    }

    /// The codes of rows, table after table, copied some at a time.
    func codes(of rows: [UInt32], over store: VectorStore, _ memory: StoreMemory) -> [[UInt32]] {
        var codes = [[UInt32]](repeating: [], count: tables)
        for table in codes.indices { codes[table].reserveCapacity(rows.count) }
        var margins = [Float](repeating: 0, count: count)
        var rest = rows[...]
        while !rest.isEmpty {
            let piece = rest.prefix(256)
            let vectors = store.copyVectors(of: Array(piece), memory)
            for row in 0..<vectors.count {
                computeMargins(ofRow: vectors[row], into: &margins)
                for table in codes.indices { codes[table].append(code(ofTable: table, margins)) }
            }
            rest = rest.dropFirst(piece.count)
        }
        return codes
    }
}

/// Draws the normals of `Hyperplanes`.
private struct NormalDrawing {
    let sample: VectorTable
    /// What the sample's vectors are multiplied by, so that no product overflows.
    let scale: Float
    /// The additional component of each, if there is one.
    let sampleAdditional: [Float]?
    let normals: VectorTable
    private(set) var additional: [Float]

    /// Differences of rows that are combined.
    private static var pairs: Int { 32 }

    init(sample: VectorTable, scale: Float, sampleAdditional: [Float]?, normals: VectorTable) {
        self.sample = sample
        self.scale = scale
        self.sampleAdditional = sampleAdditional
        self.normals = normals
        additional = Array(repeating: 0, count: normals.count)
    }

    mutating func draw(_ number: Int, orthogonalTo others: Range<Int>, _ random: inout SeededRandom) {
        combineRows(number, &random)
        // Few or equal rows do not differ in as many directions as there are normals; then any direction serves.
        while !takeAway(others, from: number) { drawAny(number, &random) }
    }

    private mutating func combineRows(_ number: Int, _ random: inout SeededRandom) {
        guard sample.count > 1 else { return }
        let normal = normals[number]
        for _ in 0..<Self.pairs {
            let left = Int.random(in: 0..<sample.count, using: &random)
            let right = Int.random(in: 0..<sample.count, using: &random)
            let factor = random.nextGaussian()
            for component in 0..<normals.dimension {
                normal[component] += factor * (sample[left][component] * scale - sample[right][component] * scale)
            }
            if let sampleAdditional { additional[number] += factor * (sampleAdditional[left] - sampleAdditional[right]) }
        }
    }

    /// A normally distributed vector has any direction with equal probability.
    private mutating func drawAny(_ number: Int, _ random: inout SeededRandom) {
        for component in 0..<normals.dimension { normals[number][component] = random.nextGaussian() }
        if sampleAdditional != nil { additional[number] = random.nextGaussian() }
    }

    /// Takes away what the normal has of the directions of `others` (Gram and Schmidt), and makes its norm 1.
    ///
    /// - Returns: false if next to nothing is left.
    private mutating func takeAway(_ others: Range<Int>, from number: Int) -> Bool {
        let before = product(number, number).squareRoot()
        guard before > 0 else { return false }
        normals.scale(number, by: 1 / before)
        additional[number] /= before
        for other in others {
            let part = product(number, other)
            for component in 0..<normals.dimension { normals[number][component] -= part * normals[other][component] }
            additional[number] -= part * additional[other]
        }
        let after = product(number, number).squareRoot()
        guard after > 0.001 else { return false }
        normals.scale(number, by: 1 / after)
        additional[number] /= after
        return true
    }

    private func product(_ left: Int, _ right: Int) -> Float {
        var sum = additional[left] * additional[right]
        for component in 0..<normals.dimension { sum += normals[left][component] * normals[right][component] }
        return sum
    }
}
