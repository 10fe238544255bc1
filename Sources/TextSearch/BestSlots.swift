/// A slot whose text answers a query, and how well: higher is better.
package struct ScoredSlot: Equatable, Sendable {
    package let slot: UInt32
    package let score: Float

    package init(slot: UInt32, score: Float) {
        (self.slot, self.score) = (slot, score)
    }

    /// By descending score; of equal ones, by slot.
    @inline(__always)
    func isBetter(than other: ScoredSlot) -> Bool {
        score > other.score || score == other.score && slot < other.slot
    }
}

/// The best `limit` of the slots offered.
///
/// A heap with the worst on top. Nearly all slots of a search fail the comparison with `bound`.
struct BestSlots {
    /// A slot with a lower score is not among the best. Below all scores until `limit` slots are known.
    private(set) var bound: Float

    private let limit: Int
    private var heap: [ScoredSlot] = []

    init(limit: Int) {
        self.limit = limit
        bound = limit > 0 ? -.infinity : .infinity
    }

    @inline(__always)
    mutating func offer(_ slot: UInt32, _ score: Float) {
        if score >= bound { insert(ScoredSlot(slot: slot, score: score)) }
    }

    @inline(never)
    private mutating func insert(_ candidate: ScoredSlot) {
        if heap.count < limit {
            heap.append(candidate)
            siftUp()
        } else if limit > 0, candidate.isBetter(than: heap[0]) {
            siftDown(candidate)
        } else {
            return
        }
        if heap.count == limit { bound = heap[0].score }
    }

    /// The best first.
    consuming func sorted() -> [ScoredSlot] {
        heap.sort { $0.isBetter(than: $1) }
        return heap
    }

    private mutating func siftUp() {
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[parent].isBetter(than: heap[child]) else { return }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    /// Puts `candidate` in the place of the worst and restores the heap.
    private mutating func siftDown(_ candidate: ScoredSlot) {
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child].isBetter(than: heap[child + 1]) { child += 1 }
            guard candidate.isBetter(than: heap[child]) else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = candidate
    }
}
