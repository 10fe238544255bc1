/// Where a vector is in a `VectorStore`. A row outlives the vector: it is given to another one after its last release.
package struct Row: RawRepresentable, Hashable, Comparable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    package init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    package static func < (left: Row, right: Row) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// A row and its distance to the query, ordered by distance, then by row: a total order, so every search has one answer.
package struct Neighbor: Equatable, Comparable, Sendable {
    package let row: Row
    package let distance: Float

    package init(row: Row, distance: Float) {
        self.row = row
        self.distance = distance
    }

    package static func < (left: Neighbor, right: Neighbor) -> Bool {
        left.distance < right.distance || (left.distance == right.distance && left.row < right.row)
    }
}
