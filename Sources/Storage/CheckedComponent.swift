/// What checking a part of a database found, in numbers.
package struct CheckedComponent: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// The file that names the newest snapshot.
        case current
        case snapshot
        case segment
        /// What a start would load.
        case state
        /// A library in memory: its documents, rows and vectors.
        case library
        /// The index of a library.
        case index
    }

    package enum Figure: String, Sendable, CaseIterable {
        case sections, records, seals
        case tornBytes = "torn_bytes"
        case libraries, documents, chunks, vectors, rows, links
        case outOfBounds = "out_of_bounds"
    }

    /// The file; of a library and its index, the library's id.
    package let name: String
    package let kind: Kind
    /// Bytes that were read from disk.
    package var bytes: UInt64 = 0
    /// How many of each were looked at.
    package private(set) var figures: [(figure: Figure, count: Int)] = []
    /// How much of it is not as it should be.
    package private(set) var damaged = 0
    /// What is wrong, in words; not more than the first few.
    package private(set) var problems: [String] = []

    private static let keptProblems = 8

    package init(_ name: String, _ kind: Kind) {
        self.name = name
        self.kind = kind
    }

    package mutating func count(_ figure: Figure, _ count: Int = 1) {
        if let place = figures.firstIndex(where: { $0.figure == figure }) {
            figures[place].count += count
        } else {
            figures.append((figure, count))
        }
    }

    package mutating func report(_ problem: String) {
        damaged += 1
        if problems.count < Self.keptProblems { problems.append(problem) }
    }

    package func figure(_ figure: Figure) -> Int { figures.first { $0.figure == figure }?.count ?? 0 }

    package static func == (left: CheckedComponent, right: CheckedComponent) -> Bool {
        left.name == right.name && left.kind == right.kind && left.bytes == right.bytes && left.damaged == right.damaged
            && left.problems == right.problems && left.figures.elementsEqual(right.figures) { $0 == $1 }
    }
}
