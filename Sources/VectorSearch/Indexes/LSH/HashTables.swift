import CVectorKernels

/// Random hyperplanes, and the signs of a vector with respect to them as one number a table.
///
/// Charikar, Similarity estimation techniques from rounding algorithms, STOC 2002, section 3. Deviations: the planes go through
/// the mean of the first rows, not the origin, so that buckets are filled evenly; and under dot, where longer rows are nearer,
/// rows get one component more that makes all as long as the longest (Neyshabur and Srebro, On symmetric and asymmetric LSHs for
/// inner product search, ICML 2015), and no centre.
struct Hyperplanes: Sendable {
    let tables: Int
    let bits: Int
    private let dimension: Int
    private let metric: Metric
    private let set: quire_instruction_set
    /// One vector a plane.
    private let normals: [Float]
    /// Under dot the normals' last component.
    private let extras: [Float]
    /// What the centre is to each plane.
    private let offsets: [Float]
    let centre: [Float]
    /// Under dot the squared norm that rows are made up to.
    let squaredRadius: Float

    init(_ store: VectorStore, tables: Int, bits: Int, centre: [Float], squaredRadius: Float) {
        self.tables = tables
        self.bits = bits
        dimension = store.dimension
        metric = store.metric
        set = store.instructionSet.kernel
        var random = SeededGenerator(state: 0x4C53_48)
        normals = (0..<tables * bits * store.dimension).map { _ in random.normal() }
        extras = (0..<tables * bits).map { _ in random.normal() }
        self.centre = centre
        self.squaredRadius = squaredRadius
        var offsets = [Float](repeating: 0, count: tables * bits)
        for plane in offsets.indices {
            for index in centre.indices { offsets[plane] += normals[plane * store.dimension + index] * centre[index] }
        }
        self.offsets = offsets
    }

    var sizeInBytes: Int { (normals.count + extras.count + offsets.count + centre.count) * 4 }

    /// Writes on which side of each plane a vector is, and how far from it: `tables` · `bits` floats.
    ///
    /// - Parameters:
    ///   - factor: what makes the vector's norm 1 under cosine.
    ///   - extra: the component that a row has more than a query, under dot.
    func margins(of vector: UnsafePointer<Float>, factor: Float, extra: Float, into margins: UnsafeMutablePointer<Float>) {
        normals.withUnsafeBufferPointer { normals in
            var block = quire_block(
                query: vector, query_scale: 1, table: normals.baseAddress!, inverse_norms: normals.baseAddress!, stride: dimension,
                dimension: dimension, ids: nil, count: tables * bits)
            quire_distances(set, QUIRE_DOT, &block, margins)
        }
        // The kernel gives distances, which are the negated products.
        for plane in 0..<tables * bits { margins[plane] = extras[plane] * extra - margins[plane] * factor - offsets[plane] }
    }

    func margins(ofRow row: Int, of store: VectorStore, into margins: UnsafeMutablePointer<Float>) {
        let vector = store.vectors.base + row * store.stride
        var extra: Float = 0
        if metric == .dot {
            let norm = VectorStore.norm(of: UnsafeBufferPointer(start: vector, count: dimension).span)
            extra = Float(max(0, Double(squaredRadius) - norm * norm).squareRoot())
        }
        self.margins(of: vector, factor: metric == .cosine ? store.inverseNorms.base[row] : 1, extra: extra, into: margins)
    }

    /// The number of a vector in a table.
    func code(_ margins: UnsafePointer<Float>, table: Int) -> UInt32 {
        var code: UInt32 = 0
        for bit in 0..<bits where margins[table * bits + bit] > 0 { code |= 1 << UInt32(bit) }
        return code
    }
}

/// The rows of each number: a list through the rows for each bucket, so that taking a row in costs nothing.
struct HashTable {
    private static let end = UInt32.max
    private var heads: [UInt32]
    private var nexts: [UInt32] = []

    init(bits: Int) {
        heads = Array(repeating: Self.end, count: 1 << bits)
    }

    var sizeInBytes: Int { (heads.count + nexts.capacity) * 4 }

    mutating func makeRoom(for rows: Int) {
        guard rows > nexts.count else { return }
        nexts.reserveCapacity(max(rows, nexts.count * 3 / 2))
        nexts.append(contentsOf: repeatElement(Self.end, count: rows - nexts.count))
    }

    mutating func insert(_ row: UInt32, code: UInt32) {
        nexts[Int(row)] = heads[Int(code)]
        heads[Int(code)] = row
    }

    /// Takes rows out of every bucket.
    mutating func remove(_ gone: RowSet) {
        for bucket in heads.indices {
            while heads[bucket] != Self.end, gone.contains(Row(heads[bucket])) { heads[bucket] = nexts[Int(heads[bucket])] }
            var row = heads[bucket]
            while row != Self.end {
                while nexts[Int(row)] != Self.end, gone.contains(Row(nexts[Int(row)])) { nexts[Int(row)] = nexts[Int(nexts[Int(row)])] }
                row = nexts[Int(row)]
            }
        }
    }

    @inline(__always)
    func forEach(code: UInt32, _ body: (UInt32) -> Void) {
        var row = heads[Int(code)]
        while row != Self.end {
            body(row)
            row = nexts[Int(row)]
        }
    }
}

/// The buckets of one table in the order in which they are likely to hold what is near: first the query's own, then those whose
/// planes are so near to the query that a neighbour may be on their other side.
///
/// Lv et al., Multi-Probe LSH, VLDB 2007, section 4.4: sets of flipped bits by their score, the sum of the squared margins, made
/// from each other by shifting and expanding. With hyperplanes each bit can be flipped in one way, so no set is invalid.
struct ProbeSequence {
    private let code: UInt32
    /// The bits, those of the nearest planes first, and their scores.
    private let order: [Int]
    private let scores: [Float]
    /// Sets as bits over `order`, the lowest score on top.
    private var heap: [(score: Float, set: UInt32)] = []
    private var isFirst = true

    init(_ planes: Hyperplanes, _ margins: UnsafePointer<Float>, table: Int) {
        code = planes.code(margins, table: table)
        let start = table * planes.bits
        let squares = (0..<planes.bits).map { margins[start + $0] * margins[start + $0] }
        order = squares.indices.sorted { squares[$0] < squares[$1] }
        scores = order.map { squares[$0] }
        if let first = scores.first { heap = [(first, 1)] }
    }

    mutating func next() -> UInt32? {
        guard !isFirst else {
            isFirst = false
            return code
        }
        guard let (score, set) = pop() else { return nil }
        let last = 31 - set.leadingZeroBitCount
        if last + 1 < scores.count {
            push((score - scores[last] + scores[last + 1], set & ~(1 << UInt32(last)) | 1 << UInt32(last + 1)))
            push((score + scores[last + 1], set | 1 << UInt32(last + 1)))
        }
        var flipped = code
        for place in order.indices where set >> UInt32(place) & 1 == 1 { flipped ^= 1 << UInt32(order[place]) }
        return flipped
    }

    private mutating func push(_ entry: (score: Float, set: UInt32)) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0, heap[child].score < heap[(child - 1) / 2].score {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func pop() -> (score: Float, set: UInt32)? {
        guard let top = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return top }
        heap[0] = last
        var parent = 0
        while 2 * parent + 1 < heap.count {
            var child = 2 * parent + 1
            if child + 1 < heap.count, heap[child + 1].score < heap[child].score { child += 1 }
            guard heap[child].score < heap[parent].score else { break }
            heap.swapAt(parent, child)
            parent = child
        }
        return top
    }
}
