import Locks

/// The vectors of a library with the index over them: rows the index has absorbed, and a tail of newer rows that are
/// searched exactly.
///
/// A row is found from the moment it is inserted. Taking rows into the index, letting them go and building another index are
/// work for a builder beside searches and changes: `beginWork`, `IndexWork.run` on any number of threads, `finishWork`.
///
/// Not thread safe but for that work: the owner admits searches together or one change; `beginWork` and `finishWork` count
/// as changes, and all changes are brief.
package final class IndexedVectors {
    package let store: VectorStore
    /// As asked for last; searches use it once it is built.
    package private(set) var configuration: IndexConfiguration

    private let memory = StoreMemory()
    /// The rows with a vector in use: what a search may return.
    private(set) var live = RowSet()
    /// Live, and not in the current index.
    private(set) var tail = RowSet()
    /// Live, and in the current index.
    private(set) var absorbed = RowSet()
    /// Released, but an index still knows them, or they are being worked on.
    private var released = RowSet()

    private(set) var current: Slot
    /// What takes the place of `current` once it knows every live row.
    private var next: Slot?
    private(set) var work: IndexWork?
    /// Rows in use that have no codes yet, while the store keeps codes.
    private var uncoded = RowSet()
    /// Whether a graph of vectors has so many rows to take in that it is worth coding all of them for it and forgetting the codes
    /// afterwards: a graph is built by codes in half of the time, and is as good.
    private var buildsByCodes = false
    /// `auto`: from how many rows on a graph is faster.
    private var crossover = Crossover()

    /// An index and the rows it knows. Changed as the vectors are; builders read what does not change while they work.
    final class Slot {
        fileprivate(set) var configuration: IndexConfiguration
        /// None searches exactly.
        let index: (any VectorIndex)?
        /// Whether it is built only to measure.
        fileprivate let isTrial: Bool
        /// Rows in the index, live or released.
        fileprivate(set) var known = RowSet()

        fileprivate init(_ configuration: IndexConfiguration, _ index: (any VectorIndex)?, isTrial: Bool = false) {
            self.configuration = configuration
            self.index = index
            self.isTrial = isTrial
        }
    }

    package init(
        dimension: Int, metric: Metric, configuration: IndexConfiguration = IndexConfiguration(.bruteForce),
        instructionSet: InstructionSet = .best
    ) {
        store = VectorStore(dimension: dimension, metric: metric, instructionSet: instructionSet)
        self.configuration = configuration
        if configuration.quantization == .int8 { store.beginCodes() }
        current = Slot(configuration, configuration.kind.makeIndex(over: store, configuration))
    }

    // MARK: Changes

    /// Adds a reference to the vector, which has passed `VectorStore.validate`. It is found from here on.
    package func insert(_ vector: Span<Float>) -> Row {
        if !store.hasRoom(for: 1) { memory.moving { store.makeRoom(for: 1) } }
        let row = store.insert(vector)
        if !live.contains(row) {
            live.insert(row)
            tail.insert(row)
        }
        return row
    }

    /// Drops a reference to a live row. After the last one it is not found any more.
    package func release(_ row: Row) {
        if store.release(row) { letGo(row) }
    }

    /// A row that no longer holds a vector: given back, or kept for those who look at it.
    private func letGo(_ row: Row) {
        live.remove(row)
        tail.remove(row)
        absorbed.remove(row)
        if isInUse(row) {
            released.insert(row)
        } else {
            reclaim(row)
        }
    }

    private func reclaim(_ row: Row) {
        uncoded.remove(row)
        store.reclaim(row)
    }

    private func isInUse(_ row: Row) -> Bool {
        keepsReleasedRows || current.known.contains(row) || next?.known.contains(row) ?? false || work?.concerns(row) ?? false
    }

    /// Gives back the released rows that nothing looks at any more.
    private func reclaim() {
        released.forEach { row in
            guard !isInUse(row) else { return }
            released.remove(row)
            reclaim(row)
        }
    }

    /// Whether the vectors of released rows stay, for somebody who writes down what there was when this became true.
    package var keepsReleasedRows = false {
        didSet { if !keepsReleasedRows { reclaim() } }
    }

    // MARK: Compaction

    /// Moves the highest live rows to lower ones that are free, at most `limit` of them; tells of each. What is moved is new to the
    /// index, and its old row is released.
    ///
    /// - Returns: whether there may be more to move.
    package func compact(limit: Int, _ moved: (_ row: Row, _ target: Row) -> Void) -> Bool {
        let targets = store.sortFreeRows().first(limit)
        let moves = zip(live.last(targets.count), targets).prefix { $0 > $1 }
        for (row, target) in moves {
            let taken = store.move(row)
            precondition(taken == target, "free rows are taken in order")
            live.insert(target)
            tail.insert(target)
            moved(row, target)
        }
        // Only now: what is given back is the first to be taken.
        for (row, _) in moves { letGo(row) }
        return moves.count == limit
    }

    /// Gives memory behind the last row in use back, once the index has let go of what was there.
    package func shrink() {
        memory.moving { store.shrink() }
    }

    /// Whether the index lets a released row go without waiting for more of them.
    package var letsGoAtOnce = false

    // MARK: Choice of the index

    /// Whether an index that was asked for is being built.
    package var isRebuilding: Bool { next.map { !$0.isTrial } ?? false }

    /// Asks for another index, which is built beside the one in use and takes its place at once when it knows every row. What can
    /// change live changes now.
    package func reconfigure(_ configuration: IndexConfiguration) {
        self.configuration = configuration
        if configuration.servesAs(current.configuration), next == nil {
            current.configuration = configuration
            current.index?.adopt(configuration)
        } else if current.known.isEmpty {
            // Searches are exact now, and go on to be.
            current = makeSlot()
            next = nil
        } else {
            next = makeSlot()
        }
    }

    /// Builds the index anew beside the one in use.
    package func rebuild() {
        guard current.index != nil else { return }
        next = makeSlot()
    }

    private func makeSlot(isTrial: Bool = false) -> Slot {
        // An index that exists, or is worth it, is built again; otherwise `auto` begins with none.
        let isGraph = configuration.kind == .auto && (isTrial || live.count >= (crossover.rows ?? .max))
        let kind = isGraph ? .hnsw : configuration.kind
        return Slot(configuration, kind.makeIndex(over: store, configuration), isTrial: isTrial)
    }

    private func promote(_ slot: Slot) {
        current = slot
        next = nil
        absorbed = live.intersection(slot.known)
        tail = live.subtracting(slot.known)
        reclaim()
    }

    // MARK: Work

    /// What a builder should do next; nil: nothing.
    package func beginWork() -> IndexWork? {
        precondition(work == nil, "one work at a time")
        guard let job = nextJob() else { return nil }
        switch job {
        case .absorb(let slot, let rows):
            (slot.index as? HNSWIndex)?.linksByCodes = hasCodes
            memory.moving { slot.index!.makeRoom(for: rows) }
        case .forget(let slot, _):
            (slot.index as? HNSWIndex)?.linksByCodes = hasCodes
        case .encode, .measure:
            break
        }
        work = IndexWork(job, store, memory)
        return work
    }

    /// Whether every row in use has codes.
    private var hasCodes: Bool { store.codes != nil && uncoded.isEmpty }

    /// Begins or ends to keep codes, as they are wanted or not; while nobody works with them.
    private func keepCodesIfWanted() {
        let slot = next ?? current
        let missing = slot === current ? tail.count : live.subtracting(slot.known).count
        buildsByCodes = slot.index is HNSWIndex && !slot.isTrial && missing >= (buildsByCodes ? 1 : Self.rowsWorthCoding)
        let isWanted = configuration.quantization == .int8 || current.configuration.quantization == .int8 || buildsByCodes
        if isWanted, store.codes == nil {
            store.beginCodes()
            uncoded = live
            released.forEach { uncoded.insert($0) }
        } else if !isWanted, store.codes != nil {
            store.endCodes()
            uncoded = RowSet()
        }
    }

    private static let rowsWorthCoding = 8192

    private func nextJob() -> IndexWork.Job? {
        keepCodesIfWanted()
        if !uncoded.isEmpty { return .encode(uncoded.first(.max)) }
        if let next {
            if let job = building(next) { return job }
            promote(next)
            keepCodesIfWanted()
        }
        if configuration.kind == .auto, let job = choosing() { return job }
        guard let index = current.index else { return nil }

        let dead = current.known.subtracting(live)
        if dead.count > max(Self.toleratedRows, current.known.count / Self.toleratedShare)
            || dead.count > 0 && (dead.count == current.known.count || letsGoAtOnce)
        {
            return .forget(current, dead)
        }
        if tail.count > 0 { return .absorb(current, tail.first(index.batchSize)) }
        if index.isOutgrown {
            next = makeSlot()
            return next.flatMap(building)
        }
        return nil
    }

    /// Released rows that an index may keep: letting them go costs a pass over all, and until then searches walk over them.
    private static let toleratedRows = 64
    private static let toleratedShare = 16

    /// What is to do before an index can take its place.
    private func building(_ slot: Slot) -> IndexWork.Job? {
        guard let index = slot.index else { return nil }
        if slot.isTrial {
            if slot.known.count >= Crossover.trialRows { return .measure(slot) }
            let missing = live.subtracting(slot.known).first(Crossover.trialRows - slot.known.count)
            // Too few are left to measure with.
            return missing.isEmpty ? .measure(slot) : .absorb(slot, missing)
        }
        let missing = live.subtracting(slot.known).first(index.batchSize)
        return missing.isEmpty ? nil : .absorb(slot, missing)
    }

    /// `auto`: builds a small graph to measure, then a graph when it is worth it, and gives it up when it no longer is.
    private func choosing() -> IndexWork.Job? {
        if current.index == nil, live.count >= crossover.threshold {
            if crossover.rows == nil {
                next = makeSlot(isTrial: true)
                return next.flatMap(building)
            }
            current = makeSlot()
        } else if current.index != nil, let rows = crossover.rows, live.count < rows / 4 {
            current = Slot(configuration, nil)
            promote(current)
        }
        return nil
    }

    /// Takes over what was done, after the last thread returned from `run`.
    package func finishWork(_ work: IndexWork) {
        precondition(self.work === work, "the work that was begun")
        self.work = nil
        switch work.job {
        case .absorb(let slot, let rows):
            guard slot === current || slot === next else { break }
            slot.index!.publish(work.results)
            for row in work.doneRows(of: rows) {
                slot.known.insert(row)
                guard slot === current, live.contains(row) else { continue }
                tail.remove(row)
                absorbed.insert(row)
            }
        case .forget(let slot, let rows):
            guard slot === current, work.isComplete else { break }
            slot.index!.forget(rows)
            rows.forEach { slot.known.remove($0) }
        case .encode(let rows):
            for row in work.doneRows(of: rows) { uncoded.remove(row) }
        case .measure(let slot):
            guard slot === next, let measured = work.crossover else { break }
            crossover = measured
            if live.count >= crossover.threshold { promote(slot) } else { next = nil }
        }
        reclaim()
    }

    // MARK: Searching

    /// The nearest `request.count` rows, or all if there are fewer. The query has passed `VectorStore.validate`.
    package func search(_ query: Span<Float>, _ request: SearchRequest) -> SearchOutcome {
        precondition(request.count >= 0, "a search asks for a number of rows")
        return store.withPreparedQuery(query) { query in
            guard let filter = request.filter else { return search(query, request, among: live, filter: nil) }
            let eligible = live.intersection(filter)
            var outcome = search(query, request, among: eligible, filter: eligible)
            let selectivity = live.count == 0 ? 0 : Double(eligible.count) / Double(live.count)
            outcome.filter = .init(selectivity: selectivity, strategy: outcome.filter?.strategy ?? .exact)
            return outcome
        }
    }

    private func search(_ query: PreparedQuery, _ request: SearchRequest, among eligible: RowSet, filter: RowSet?) -> SearchOutcome {
        let count = min(request.count, eligible.count)
        var outcome = SearchOutcome(neighbors: [], scored: 0, exact: true, index: .bruteForce)
        guard count > 0 else { return outcome }
        guard let index = current.index, absorbed.count > 0, isWorthIt(index, request, count, eligible, filter) else {
            scan(eligible, count, query, &outcome)
            return outcome
        }

        let (old, new) = filter.map { ($0.intersection(absorbed), $0.intersection(tail)) } ?? (absorbed, tail)
        var nearest = NearestRows(limit: count)
        if new.count > 0 { new.withBits { store.scan($0, count: new.count, query: query, into: &nearest) } }
        let found = old.withBits { bits in
            let request = IndexRequest(count: count, eligible: bits, eligibleCount: old.count, ef: request.ef)
            return index.search(query, request, into: &nearest)
        }
        outcome.scored = new.count + found.scored
        outcome.exact = found.isExact
        outcome.index = index.kind
        outcome.ef = found.ef
        outcome.filter = .init(selectivity: 1, strategy: found.strategy ?? .postFilter)
        guard nearest.count == count, found.isReliable else {
            // An index may miss rows that exist; whoever asked gets them all the same.
            outcome = SearchOutcome(neighbors: [], scored: outcome.scored, exact: true, index: .bruteForce)
            scan(eligible, count, query, &outcome)
            return outcome
        }
        outcome.neighbors = nearest.sorted()
        if filter == nil { outcome.filter = nil }
        return outcome
    }

    /// Whether the index is expected to look at fewer rows than there are.
    private func isWorthIt(
        _ index: any VectorIndex, _ request: SearchRequest, _ count: Int, _ eligible: RowSet, _ filter: RowSet?
    ) -> Bool {
        if index.kind.isExact { return true }
        if request.isExact { return false }
        guard filter != nil else { return true }
        // A walk that keeps to eligible rows takes about the time in which some sixty are compared for each candidate that it keeps.
        let ef = max(request.ef ?? configuration[.efSearch], count)
        return eligible.count > ef * 64
    }

    private func scan(_ rows: RowSet, _ count: Int, _ query: PreparedQuery, _ outcome: inout SearchOutcome) {
        var nearest = NearestRows(limit: count)
        rows.withBits { bits in
            if let codes = store.codes, current.configuration.quantization == .int8, uncoded.isEmpty, bits.isDense(rows.count) {
                outcome.scored += codes.scan(bits, count: rows.count, query: query, into: &nearest)
            } else {
                store.scan(bits, count: rows.count, query: query, into: &nearest)
            }
        }
        outcome.scored += rows.count
        outcome.neighbors = nearest.sorted()
    }

    // MARK: Statistics

    package var statistics: IndexedStatistics {
        let isUndecided = configuration.kind == .auto && current.index == nil && live.count >= crossover.threshold
        let pending = current.index == nil ? (isUndecided ? live.count : 0) : tail.count
        let isBuilding = pending > 0 || isRebuilding || current.configuration.quantization == .int8 && !hasCodes
        let index = current.index?.statistics
        let progress: Double =
            if let next, isRebuilding {
                Double(live.intersection(next.known).count) / Double(max(live.count, 1))
            } else {
                live.count == 0 ? 1 : Double(live.count - pending) / Double(live.count)
            }
        return IndexedStatistics(
            kind: configuration.kind, active: index?.kind ?? .bruteForce, quantization: current.configuration.quantization,
            state: isBuilding ? .building : .ready, indexed: live.count - pending, pending: pending, progress: progress,
            bytes: (index?.bytes ?? 0) + live.sizeInBytes + tail.sizeInBytes + absorbed.sizeInBytes, details: index?.details ?? [],
            target: isRebuilding ? next?.configuration : nil)
    }

    /// What an index over all rows takes, as far as the one in use says; one that does not exist is taken for a graph.
    package var bytesOfIndex: Int { live.count * bytesPerIndexedRow }

    /// What the index will take for the rows that it has not yet.
    package var bytesToCome: Int {
        let missing = next.map { live.subtracting($0.known).count } ?? (current.index == nil ? 0 : tail.count)
        return missing * bytesPerIndexedRow
    }

    private var bytesPerIndexedRow: Int {
        guard let index = current.index, absorbed.count >= Self.rowsThatTell else { return Self.bytesPerGraphRow }
        return index.statistics.bytes / absorbed.count
    }

    private static let rowsThatTell = 1000
    /// 16 neighbours and as many again on the lowest layer, a share of those above, a sketch of 64 bytes.
    private static let bytesPerGraphRow = 256

    // MARK: Keeping rows and index

    /// The rows that hold a vector, or held one that the index still looks at.
    package var heldRows: RowSet {
        var rows = live
        released.forEach { rows.insert($0) }
        return rows
    }

    /// The bits of the vectors of `rows`, one after the other; zeros for one that is not among `held`. May run beside searches and
    /// changes while `keepsReleasedRows` has been true since `held` was asked for: those vectors do not change then.
    package func vectorBytes(of rows: Range<Int>, among held: RowSet) -> [UInt8] {
        let size = store.dimension * MemoryLayout<Float>.stride
        return memory.pinned {
            [UInt8](unsafeUninitializedCapacity: rows.count * size) { buffer, initialized in
                let bytes = UnsafeMutableRawBufferPointer(buffer)
                for (index, row) in rows.enumerated() {
                    let destination = UnsafeMutableRawBufferPointer(rebasing: bytes[index * size..<(index + 1) * size])
                    if held.contains(Row(UInt32(row))) {
                        let vector = store.vectors.base + row * store.stride
                        destination.copyMemory(from: UnsafeRawBufferPointer(start: vector, count: size))
                    } else {
                        destination.initializeMemory(as: UInt8.self, repeating: 0)
                    }
                }
                initialized = bytes.count
            }
        }
    }

    /// Makes room for `count` rows that `restore` will append.
    package func reserve(_ count: Int) {
        memory.moving { store.makeRoom(for: count) }
    }

    /// Appends rows as they were, `references.count` vectors of them; those without references are kept for `restoreIndex`, and given
    /// back by it or by `finishRestoring`. Before anything is inserted, after `reserve`.
    ///
    /// - Throws: what is wrong with a vector; nothing of this may be used then.
    package func restore(_ vectors: Span<Float>, references: some Collection<UInt32>) throws(VectorProblem) {
        let first = store.usedRows
        try store.restore(vectors, references: references)
        for (index, count) in references.enumerated() {
            let row = Row(UInt32(first + index))
            guard count > 0 else {
                released.insert(row)
                continue
            }
            live.insert(row)
            tail.insert(row)
        }
    }

    /// Gives back the rows that were restored without references and that no index knows.
    package func finishRestoring() {
        reclaim()
    }

    /// The index in use and the rows it knows now; nil if searches are exact, or another index was asked for than is in use.
    package func indexImage() -> IndexImage? {
        guard let index = current.index, current.configuration == configuration else { return nil }
        return IndexImage(index: index, known: current.known, rowCount: store.usedRows)
    }

    /// Takes over an index that `IndexImage` wrote when the same rows had the same vectors, as if it had just been built.
    package func restoreIndex(_ bytes: [UInt8]) throws(IndexDecodingError) {
        precondition(work == nil, "nobody builds what is taken over")
        let numbers = bytes.withUnsafeBytes { bytes in
            let count = bytes.count < 4 ? UInt32.max : bytes.loadUnaligned(as: UInt32.self)
            guard Int(count) <= bytes.count / 4 - 1 else { return [UInt32]?.none }
            return (1..<Int(count) + 1).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) }
        }
        guard let numbers, numbers.allSatisfy({ live.contains(Row($0)) || released.contains(Row($0)) }) else {
            throw IndexDecodingError("the rows of the index are not those of the store")
        }
        let rest = Array(bytes[(4 * (numbers.count + 1))...])
        let kind = configuration.kind == .auto ? .hnsw : configuration.kind
        guard let index = try kind.decodeIndex(rest, over: store, configuration) else { return }
        let known = RowSet(numbers.map { Row($0) })
        // A row that only the index had would come in once more, and be found twice.
        guard known.count == numbers.count, index.rows.count == known.count, index.rows.subtracting(known).isEmpty else {
            throw IndexDecodingError("the index has other rows than it is said to know")
        }
        let slot = Slot(configuration, index)
        slot.known = known
        promote(slot)
    }
}

/// An index as it is while no builder works on it.
package struct IndexImage {
    fileprivate let index: any VectorIndex
    fileprivate let known: RowSet
    /// Rows given out by then; there may be more when the index is written.
    fileprivate let rowCount: Int

    /// The number of rows and the rows, then what the index wrote. Searches and changes go on meanwhile; nobody builds.
    package func encoded() -> [UInt8] {
        let rows = known.first(.max)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * (rows.count + 1))
        for number in [UInt32(rows.count)] + rows.map(\.rawValue) {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes + index.encoded(rowCount: rowCount)
    }
}

extension VectorIndex {
    var kind: IndexKind { statistics.kind }
}
