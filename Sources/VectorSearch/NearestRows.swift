/// The nearest `limit` of the neighbours offered, by (distance, row), whatever the order they come in.
///
/// A heap with the farthest on top. Nearly all candidates of a search fail the comparison with `bound`, which the
/// caller makes before it offers anything.
package struct NearestRows {
    /// A neighbour farther than this is not among the nearest. Infinite until `limit` neighbours are known.
    package private(set) var bound: Float

    private let limit: Int
    private var heap: [Neighbor] = []

    package init(limit: Int) {
        self.limit = limit
        bound = limit > 0 ? .infinity : -.infinity
        heap.reserveCapacity(limit)
    }

    package var count: Int { heap.count }

    package mutating func offer(_ candidate: Neighbor) {
        if heap.count < limit {
            heap.append(candidate)
            siftUp()
        } else if limit > 0, candidate < heap[0] {
            siftDown(candidate)
        } else {
            return
        }
        if heap.count == limit { bound = heap[0].distance }
    }

    /// The nearest first.
    package consuming func sorted() -> [Neighbor] {
        heap.sort()
        return heap
    }

    private mutating func siftUp() {
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[parent] < heap[child] else { return }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    /// Puts `candidate` in the place of the farthest and restores the heap.
    private mutating func siftDown(_ candidate: Neighbor) {
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child] < heap[child + 1] { child += 1 }
            guard candidate < heap[child] else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = candidate
    }
}
