/// The buckets of one table by how likely near rows are in them: the query's own, then those that differ in the bits whose
/// hyperplanes the query is nearest to. Query-directed probing (Lv et al., "Multi-probe LSH", VLDB 2007, section 4.4): the
/// sets of flipped bits in ascending order of the sum of the squared margins, each made of an earlier one by `shift` or `expand`.
///
/// A deviation: a bit has two values, so each hyperplane gives one perturbation and every set is valid.
struct BucketOrder {
    private var code: UInt32 = 0
    private var isFirst = true
    /// The bits by ascending margin, and the squares of these.
    private var sorted: [(cost: Float, bit: UInt32)] = []
    private var heap: [Perturbation] = []

    /// Positions in `sorted`.
    private struct Perturbation {
        let cost: Float
        let set: UInt32
    }

    /// Begins anew with a table. Reuses its memory.
    ///
    /// - Parameter margins: the query's, of all hyperplanes.
    mutating func begin(_ hyperplanes: Hyperplanes, table: Int, margins: UnsafePointer<Float>) {
        code = hyperplanes.code(ofTable: table, margins)
        isFirst = true
        sorted.removeAll(keepingCapacity: true)
        heap.removeAll(keepingCapacity: true)
        for bit in 0..<hyperplanes.bits {
            let margin = margins[table * hyperplanes.bits + bit]
            sorted.append((margin * margin, UInt32(bit)))
        }
        sorted.sort { $0.cost < $1.cost }
        if let first = sorted.first { heap.append(Perturbation(cost: first.cost, set: 1)) }
    }

    mutating func next() -> UInt32? {
        if isFirst {
            isFirst = false
            return code
        }
        guard let perturbation = popLeast() else { return nil }
        let last = 31 - perturbation.set.leadingZeroBitCount
        if last + 1 < sorted.count {
            let added = perturbation.set | 1 << UInt32(last + 1)
            let expanded = perturbation.cost + sorted[last + 1].cost
            push(Perturbation(cost: expanded, set: added))
            push(Perturbation(cost: expanded - sorted[last].cost, set: added & ~(1 << UInt32(last))))
        }

        var bucket = code
        var rest = perturbation.set
        while rest != 0 {
            bucket ^= 1 << sorted[rest.trailingZeroBitCount].bit
            rest &= rest - 1
        }
        return bucket
    }

    private mutating func push(_ perturbation: Perturbation) {
        heap.append(perturbation)
        var child = heap.count - 1
        while child > 0, heap[child].cost < heap[(child - 1) / 2].cost {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func popLeast() -> Perturbation? {
        guard let least = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return least }
        var parent = 0
        while 2 * parent + 1 < heap.count {
            var child = 2 * parent + 1
            if child + 1 < heap.count, heap[child + 1].cost < heap[child].cost { child += 1 }
            guard heap[child].cost < last.cost else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = last
        return least
    }
}
