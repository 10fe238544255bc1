import CVectorKernels
import Glibc
import Locks

/// A graph of rows in levels: few rows and long links on top, all rows and short links on level 0. A search walks from the
/// top to the rows near the query and keeps the `ef` best it meets.
///
/// Malkov and Yashunin, Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
/// graphs, 2016 (arXiv:1603.09320), algorithms 1 to 5. Deviations:
/// - One sorted list of `ef` candidates takes the place of the two heaps of algorithm 2: a candidate that falls off its end
///   is one that would end the search anyway.
/// - Algorithm 4 runs without its two optional parts, extending candidates and keeping pruned links.
/// - A list that is full keeps a link that is the last one to its row, whatever algorithm 4 says.
/// - The level of a row comes from a hash of its number and the seed. So the same rows in the same order give the same graph
///   (with one thread), and a row that is used again has the room that it needs.
///
/// Builders link rows beside searches, without locks for these: every link is read and written as an atomic number, and a
/// list that is read while it changes is a mixture of old and new links, all of them rows of the graph. Builders exclude
/// each other by a byte for each row.
///
/// Cost: (2m + 1) · 4 bytes a row for links on level 0, about 8 for the rest, and a bit a row for each search that runs at a time.
final class HNSWIndex: VectorIndex {
    let store: VectorStore
    /// Links of a node on the levels above 0; level 0 has twice as many.
    let m: Int
    let efConstruction: Int
    private(set) var efSearch: Int
    /// Whether the graph is walked by codes; what a walk found is then scored again with the vectors.
    let usesCodes: Bool
    /// Whether rows are linked by codes, which all that are in the graph or on their way into it then have. Changed exclusively, while
    /// nobody builds.
    var linksByCodes: Bool
    let seed: UInt64

    /// For each row the number of its links, then room for 2m.
    private(set) var lowerLinks = GrowableBuffer<UInt32>()
    /// Where the lists of a row for levels 1, 2, … begin in `upperLinks`, in lists; 0 for a row without.
    private(set) var upperStarts = GrowableBuffer<UInt32>()
    /// Lists of a number and room for m links. The first is nobody's.
    private(set) var upperLinks = GrowableBuffer<UInt32>()
    private var upperLists = 1
    /// A byte for each row that is 1 while a builder changes its links.
    private(set) var locks = GrowableBuffer<UInt8>()

    /// For each row the number of links that lead to it on level 0, at most 255. The last one is never given up for a better one, or
    /// the row would not be found any more.
    private(set) var linksTo = GrowableBuffer<UInt8>()

    /// Where searches begin, as `EntryPoint` packs it. Written under `entryLock` or exclusively.
    private let entry: UnsafeMutablePointer<UInt64>
    private let entryLock = Lock()
    /// Beside vectors, for walks to look at first; from the first rows on.
    private(set) var sketches: SketchTable?
    private let scratches = HNSWScratchPool()
    /// The rows that were linked and are not forgotten. Changed exclusively.
    private(set) var linked = RowSet()

    static let version: UInt32 = 1

    init(store: VectorStore, _ configuration: IndexConfiguration, seed: UInt64) {
        self.store = store
        m = configuration[.m]
        efConstruction = configuration[.efConstruction]
        efSearch = configuration[.efSearch]
        usesCodes = configuration.quantization == .int8
        linksByCodes = usesCodes
        self.seed = seed
        entry = .allocate(capacity: 1)
        entry.initialize(to: EntryPoint.none)
    }

    convenience init(store: VectorStore, _ configuration: IndexConfiguration) {
        self.init(store: store, configuration, seed: 0x51_7569_7265)
    }

    deinit {
        lowerLinks.deallocate()
        upperStarts.deallocate()
        upperLinks.deallocate()
        locks.deallocate()
        linksTo.deallocate()
        entry.deallocate()
    }

    var rows: RowSet { linked }

    var statistics: IndexStatistics {
        let (_, top) = EntryPoint.unpack(quire_load_acquire_64(entry)) ?? (0, -1)
        return IndexStatistics(
            kind: .hnsw,
            bytes: lowerLinks.sizeInBytes(ofFirst: linked.words.count * 64 * lowerStride)
                + upperStarts.sizeInBytes(ofFirst: linked.words.count * 64) + 2 * locks.sizeInBytes(ofFirst: linked.words.count * 64)
                + upperLinks.sizeInBytes(ofFirst: upperLists * upperStride) + scratches.sizeInBytes
                + (sketches?.sizeInBytes(ofFirst: linked.words.count * 64) ?? 0),
            details: [
                .init(name: "m", value: Double(m)), .init(name: "ef_construction", value: Double(efConstruction)),
                .init(name: "ef_search", value: Double(efSearch)), .init(name: "levels", value: Double(top + 1)),
            ])
    }

    // A batch is in the tail until its last row is linked; a piece is claimed at a time by a thread.
    var batchSize: Int { 1024 }
    var pieceSize: Int { 8 }

    func adopt(_ configuration: IndexConfiguration) {
        efSearch = configuration[.efSearch]
    }

    /// Takes over what was read into the links.
    func adopt(_ rows: RowSet, entry: (row: UInt32, level: Int)?) {
        linked = rows
        self.entry.pointee = entry.map { EntryPoint.pack($0.row, $0.level) } ?? EntryPoint.none
    }

    func countLink(to row: UInt32) {
        quire_count_up(linksTo.base + Int(row))
    }

    // MARK: Layout

    var lowerStride: Int { 2 * m + 1 }
    var upperStride: Int { m + 1 }

    func maxLinks(on level: Int) -> Int { level == 0 ? 2 * m : m }

    /// The list of a row on a level: the number of links, then the links.
    @inline(__always)
    func links(of row: UInt32, on level: Int) -> UnsafeMutablePointer<UInt32> {
        guard level > 0 else { return lowerLinks.base + Int(row) * lowerStride }
        return upperLinks.base + (Int(upperStarts.base[Int(row)]) + level - 1) * upperStride
    }

    /// The highest level of a row: level l with probability m^−l (section 4.1).
    func level(of row: UInt32) -> Int {
        var mixed = seed &+ UInt64(row) &* 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        let uniform = (Double(mixed >> 11) + 1) / Double(UInt64(1) << 53)
        return min(Int(-log(uniform) / log(Double(m))), EntryPoint.maxLevel)
    }

    /// The row and level where a search begins; nil for an empty graph.
    var entryPoint: (row: UInt32, level: Int)? {
        EntryPoint.unpack(quire_load_acquire_64(entry))
    }

    /// Makes a row the entry if its level is above the entry's.
    func offerEntry(_ row: UInt32, _ level: Int) {
        if let (_, top) = entryPoint, level <= top { return }
        entryLock.withLock {
            if let (_, top) = entryPoint, level <= top { return }
            quire_store_release_64(entry, EntryPoint.pack(row, level))
        }
    }

    // MARK: Rows in

    func makeRoom(for rows: [Row]) {
        makeRoom(for: rows, centre: nil)
    }

    /// - Parameter centre: of sketches, if they were made before; otherwise that of the first rows.
    func makeRoom(for rows: [Row], centre: [Float]?) {
        guard let last = rows.max() else { return }
        let count = Int(last.rawValue) + 1
        lowerLinks.reserve(count * lowerStride)
        upperStarts.reserve(count)
        locks.reserve(count)
        linksTo.reserve(count)
        for row in rows where upperStarts.base[Int(row.rawValue)] == 0 {
            let level = level(of: row.rawValue)
            guard level > 0 else { continue }
            upperStarts.base[Int(row.rawValue)] = UInt32(upperLists)
            upperLists += level
        }
        upperLinks.reserve(upperLists * upperStride)
        if sketches == nil, !usesCodes, SketchTable.serves(store) {
            sketches = SketchTable(store, centre: centre ?? SketchTable.centre(of: rows, in: store))
        }
        sketches?.makeRoom(for: count)
    }

    func writeSketches(of rows: [UInt32]) {
        guard let sketches else { return }
        scratches.withScratch(for: self) { scratch in
            for row in rows { sketches.write(row, of: store, rotated: scratch.rotated) }
        }
    }

    func prepare(_ rows: ArraySlice<Row>, _ memory: StoreMemory) -> any PreparedRows {
        scratches.withScratch(for: self) { scratch in
            for row in rows { memory.pinned { link(row.rawValue, scratch) } }
        }
        return LinkedRows(rows: rows)
    }

    private struct LinkedRows: PreparedRows {
        let rows: ArraySlice<Row>
    }

    func publish(_ pieces: [any PreparedRows]) {
        for case let piece as LinkedRows in pieces {
            for row in piece.rows { linked.insert(row) }
        }
    }

    // MARK: Rows out

    func prepareToForget(_ dead: RowSet, part: Int, of parts: Int, _ memory: StoreMemory) {
        let words = linked.words.count
        scratches.withScratch(for: self) { scratch in
            dead.withBits { dead in
                for row in UInt32(words * part / parts * 64)..<UInt32(words * (part + 1) / parts * 64)
                where linked.contains(Row(row)) && !dead.contains(row) {
                    memory.pinned { repair(row, without: dead, scratch) }
                }
            }
        }
    }

    func forget(_ dead: RowSet) {
        var lastLed: [UInt32] = []
        dead.forEach { row in
            // Nothing leads to it any more. What it led to is mostly led to by others since these were repaired.
            let list = links(of: row.rawValue, on: 0)
            for index in 0..<Int(list[0]) where !quire_count_down_unless_last(linksTo.base + Int(list[1 + index])) {
                lastLed.append(list[1 + index])
            }
            for level in 0...level(of: row.rawValue) { links(of: row.rawValue, on: level)[0] = 0 }
            linksTo.base[Int(row.rawValue)] = 0
        }
        dead.forEach { linked.remove($0) }
        for row in lastLed where linked.contains(Row(row)) {
            linksTo.base[Int(row)] = 0
            let list = links(of: row, on: 0)
            for index in 0..<Int(list[0]) { leadTo(row, from: list[1 + index]) }
        }
        guard let (row, _) = entryPoint, dead.contains(Row(row)) else { return }
        var highest: (row: UInt32, level: Int)?
        linked.forEach { row in
            let level = level(of: row.rawValue)
            if level > highest?.level ?? -1 { highest = (row.rawValue, level) }
        }
        entry.pointee = highest.map { EntryPoint.pack($0.row, $0.level) } ?? EntryPoint.none
    }

    // MARK: Checking

    func check(part: Int, of parts: Int, known: RowBits) -> IndexCheck {
        var check = IndexCheck()
        let words = linked.words.count
        for row in UInt32(words * part / parts * 64)..<UInt32(words * (part + 1) / parts * 64) where linked.contains(Row(row)) {
            for level in 0...level(of: row) {
                let list = links(of: row, on: level)
                let count = Int(quire_load_acquire(list))
                guard count <= maxLinks(on: level) else {
                    check.outOfBounds += 1
                    continue
                }
                check.follow((0..<count).lazy.map { quire_load_acquire(list + 1 + $0) }, known: known)
            }
        }
        return check
    }

    // MARK: Searching

    func search(_ query: PreparedQuery, _ request: IndexRequest, into nearest: inout NearestRows) -> IndexOutcome {
        scratches.withScratch(for: self) { scratch in
            guard usesCodes else {
                return search(VectorScorer(query, sketches, scratch), request, scratch, query, into: &nearest)
            }
            return search(scratch.codeScorer(query), request, scratch, query, into: &nearest)
        }
    }
}

/// The row where a search begins and its level, in one number, so that they change together.
enum EntryPoint {
    static let none = UInt64.max
    static let maxLevel = 30

    static func pack(_ row: UInt32, _ level: Int) -> UInt64 { UInt64(level) << 32 | UInt64(row) }

    static func unpack(_ value: UInt64) -> (row: UInt32, level: Int)? {
        value == none ? nil : (UInt32(truncatingIfNeeded: value), Int(value >> 32))
    }
}
