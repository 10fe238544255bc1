import TextSearch

/// The columns of a library, kept with its chunks: nobody declares them.
struct FieldIndex {
    private var columns: [FilterField: Column] = [:]

    func has(_ field: FilterField) -> Bool { columns[field] != nil }

    /// Bytes of memory. Cost: a look at every column, and at every 512 numbers in one.
    var sizeInBytes: Int { columns.values.reduce(0) { $0 + $1.sizeInBytes } }

    // MARK: Changing

    mutating func insert(_ document: Document, chunkIndex: Int, capacity: Int) {
        let slot = document.chunks[chunkIndex].slot.rawValue
        FieldValues.forEach(of: document, chunkIndex: chunkIndex) { field, values in
            columns[field, default: Column()].insert(values, at: slot, capacity: capacity)
        }
    }

    /// - Parameter document: the version that was inserted.
    mutating func remove(_ document: Document, chunkIndex: Int, capacity: Int) {
        let slot = document.chunks[chunkIndex].slot.rawValue
        FieldValues.forEach(of: document, chunkIndex: chunkIndex) { field, values in
            columns[field]!.remove(values, at: slot, capacity: capacity)
            if columns[field]!.isEmpty { columns[field] = nil }
        }
    }

    // MARK: Filtering

    /// The slots of the chunks that pass a filter.
    ///
    /// - Parameters:
    ///   - live: the slots of all chunks.
    ///   - slots: of the chunks of a document; none if there is no such document.
    func slots(passing filter: Filter, among live: SlotSet, ofDocument slots: (DocumentID) -> [Slot]) -> SlotSet {
        switch filter {
        case .all(let parts):
            guard let first = parts.first else { return live }
            return parts.dropFirst().reduce(into: self.slots(passing: first, among: live, ofDocument: slots)) { result, part in
                if !result.isEmpty { result.formIntersection(self.slots(passing: part, among: live, ofDocument: slots)) }
            }
        case .any(let parts):
            return parts.reduce(into: SlotSet()) { $0.formUnion(self.slots(passing: $1, among: live, ofDocument: slots)) }
        case .not(let part):
            return live.subtracting(self.slots(passing: part, among: live, ofDocument: slots))
        case .condition(.documentID, let condition):
            return documentSlots(condition, among: live, slots)
        case .condition(let field, let condition):
            return (columns[field] ?? Column()).slots(condition, among: live)
        }
    }

    /// Ids need no column: there is a look-up of documents by id.
    private func documentSlots(_ condition: Filter.Condition, among live: SlotSet, _ slots: (DocumentID) -> [Slot]) -> SlotSet {
        switch condition {
        case .exists:
            return live
        case .isAny(of: let values):
            return values.reduce(into: SlotSet()) { result, value in
                guard case .string(let text) = value, let id = DocumentID(text.text) else { return }
                for slot in slots(id) { result.insert(slot.rawValue) }
            }
        case .isWithin, .contains:
            preconditionFailure("ids are equal or not: the reader of filters refuses everything else")
        }
    }
}
