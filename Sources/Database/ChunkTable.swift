import TextSearch
import VectorSearch

/// The number of a live chunk in its library, by which filters and the text index know it. Numbers are dense: those of chunks that
/// are gone are given again.
package struct Slot: Hashable, Sendable {
    package let rawValue: UInt32

    package init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }
}

/// The live chunks of a library, by slot and by the row that holds their vector. Nearly every row has one chunk; chunks with
/// bit-identical vectors share one.
struct ChunkTable {
    struct Holder {
        let document: Document
        let chunkIndex: Int32

        var chunk: Chunk { document.chunks[Int(chunkIndex)] }
    }

    private var holders: [Holder?] = []
    /// The row of each slot; of one that is free, nothing of meaning.
    private var rows: [Row] = []
    /// The slot of the first chunk of each slot's document: one for all chunks of a document. Of one that is free, nothing of meaning.
    private var firsts: [UInt32] = []
    private var free: [Slot] = []
    /// The slots that are taken.
    private(set) var live = SlotSet()
    /// The slot of a row that has one chunk.
    private var single: [Slot?] = []
    /// The slots of a row that has several, by chunk id.
    private var shared: [Row: [Slot]] = [:]

    // MARK: Looking up

    /// Slots given out so far.
    var capacity: Int { holders.count }

    /// Bytes of memory, but for rows that several chunks share.
    var sizeInBytes: Int {
        holders.capacity * MemoryLayout<Holder?>.stride + rows.capacity * MemoryLayout<Row>.stride
            + firsts.capacity * MemoryLayout<UInt32>.stride + free.capacity * MemoryLayout<Slot>.stride
            + single.capacity * MemoryLayout<Slot?>.stride + live.sizeInBytes
    }

    func holder(of slot: Slot) -> Holder {
        guard let holder = holders[Int(slot.rawValue)] else { preconditionFailure("a live slot has a chunk") }
        return holder
    }

    func row(of slot: Slot) -> Row { rows[Int(slot.rawValue)] }

    /// The slots of the chunks that hold a row, by chunk id.
    func slots(of row: Row) -> ArraySlice<Slot> {
        if let slots = shared[row] { return slots[...] }
        guard Int(row.rawValue) < single.count, let slot = single[Int(row.rawValue)] else { return [] }
        return [slot]
    }

    /// Whether a chunk of this very document has its slot, and is found by its row. Cost: a binary search.
    func contains(_ document: Document, _ chunk: Chunk) -> Bool {
        guard Int(chunk.slot.rawValue) < holders.count, let holder = holders[Int(chunk.slot.rawValue)], holder.document === document,
            holder.chunk.id == chunk.id, row(of: chunk.slot) == chunk.row, live.contains(chunk.slot.rawValue),
            firsts[Int(chunk.slot.rawValue)] == document.chunks[0].slot.rawValue
        else { return false }
        let slots = slots(of: chunk.row)
        return slots[first(chunk.id, in: slots)...].prefix { self.holder(of: $0).chunk.id == chunk.id }.contains(chunk.slot)
    }

    /// The rows of some slots.
    func rows(of slots: SlotSet) -> RowSet {
        var result = RowSet()
        slots.forEach { result.insert(rows[Int($0)]) }
        return result
    }

    /// How many documents some slots are of. Cost: a look at four bytes a slot.
    func documentCount(of slots: SlotSet) -> Int {
        var firsts: [UInt32] = []
        firsts.reserveCapacity(slots.count)
        slots.forEach { firsts.append(self.firsts[Int($0)]) }
        var documents = SlotSet()
        documents.insert(contentsOf: firsts.span)
        return documents.count
    }

    // MARK: Changing

    /// A slot for a chunk that is to come.
    mutating func take() -> Slot {
        if let slot = free.popLast() { return slot }
        holders.append(nil)
        rows.append(Row(0))
        firsts.append(0)
        return Slot(UInt32(holders.count - 1))
    }

    /// From here on the slots of a document's chunks lead to this version of it.
    mutating func point(to document: Document) {
        for (index, chunk) in document.chunks.enumerated() {
            holders[Int(chunk.slot.rawValue)] = Holder(document: document, chunkIndex: Int32(index))
            firsts[Int(chunk.slot.rawValue)] = document.chunks[0].slot.rawValue
        }
    }

    /// The chunk, whose slot leads to it, is found by its row from here on. Cost: constant for a row of one; else a binary search and
    /// the moving of the slots behind it.
    mutating func link(_ chunk: Chunk) {
        let index = Int(chunk.row.rawValue)
        rows[Int(chunk.slot.rawValue)] = chunk.row
        live.insert(chunk.slot.rawValue)
        while single.count <= index { single.append(nil) }
        if let other = single[index] {
            shared[chunk.row] = holder(of: other).chunk.id < chunk.id ? [other, chunk.slot] : [chunk.slot, other]
            single[index] = nil
        } else if let position = shared[chunk.row]?.firstPosition(where: { chunk.id < holder(of: $0).chunk.id }) {
            shared[chunk.row]!.insert(chunk.slot, at: position)
        } else {
            single[index] = chunk.slot
        }
    }

    /// The chunk, whose slot still leads to it, is not found by its row any more.
    mutating func unlink(_ chunk: Chunk) {
        guard var slots = shared.removeValue(forKey: chunk.row) else {
            single[Int(chunk.row.rawValue)] = nil
            return
        }
        // Two versions of a chunk, of one id, may share the row for a moment.
        guard let position = slots[first(chunk.id, in: slots[...])...].firstIndex(of: chunk.slot) else {
            preconditionFailure("a live chunk is found by its row")
        }
        slots.remove(at: position)
        if slots.count == 1 {
            single[Int(chunk.row.rawValue)] = slots[0]
        } else {
            shared[chunk.row] = slots
        }
    }

    /// The slot is given again.
    mutating func release(_ slot: Slot) {
        holders[Int(slot.rawValue)] = nil
        live.remove(slot.rawValue)
        free.append(slot)
    }

    private func first(_ id: ChunkID, in slots: ArraySlice<Slot>) -> Int {
        slots.firstPosition { holder(of: $0).chunk.id >= id }
    }
}
