import CPlatform
import TextSearch

/// One field of all chunks of a library, by its values: what finds the chunks that fulfil a condition without looking at the others.
struct Column {
    private var strings: [ExactText: Posting] = [:]
    private var numbers = SortedPostings()
    private var yes = Posting.none
    private var no = Posting.none
    private var nulls = Posting.none
    /// Those that have the field, whatever is in it.
    private var present = Posting.none
    /// Those whose field is a list.
    private var lists = Posting.none
    /// Bytes that postings take besides their own, but for those of numbers.
    private var postingBytes = 0

    /// Bytes of memory. The strings are those of the documents.
    var sizeInBytes: Int {
        strings.capacity * (MemoryLayout<ExactText>.stride + MemoryLayout<Posting>.stride) + numbers.sizeInBytes + postingBytes
    }

    var isEmpty: Bool { present.isEmpty }

    mutating func insert(_ values: FieldValues.Values, at slot: UInt32, capacity: Int) {
        change(values) {
            $0.insert(slot, capacity: capacity)
        } numbers: {
            $0.insert(slot, at: $1, capacity: capacity)
        }
    }

    mutating func remove(_ values: FieldValues.Values, at slot: UInt32, capacity: Int) {
        change(values) {
            $0.remove(slot, capacity: capacity)
        } numbers: {
            $0.remove(slot, at: $1, capacity: capacity)
        }
    }

    /// Changes every posting that the values are in.
    private mutating func change(
        _ values: FieldValues.Values, _ body: (inout Posting) -> Void, numbers change: (inout SortedPostings, Double) -> Void
    ) {
        var grown = 0
        func changePosting(_ posting: inout Posting) {
            let before = posting.sizeInBytes
            body(&posting)
            grown += posting.sizeInBytes - before
        }

        changePosting(&present)
        if case .list = values { changePosting(&lists) }
        let list: [FilterValue] =
            switch values {
            case .one(let value): [value]
            case .list(let values): values
            }
        for value in list {
            switch value {
            case .null: changePosting(&nulls)
            case .bool(let flag): if flag { changePosting(&yes) } else { changePosting(&no) }
            case .number(let number): change(&numbers, number)
            case .string(let text):
                changePosting(&strings[text, default: .none])
                if strings[text]!.isEmpty { strings[text] = nil }
            }
        }
        postingBytes += grown
    }

    // MARK: Conditions

    /// The slots whose chunks fulfil a condition.
    ///
    /// Cost: that of the slots it gives; of a range of strings, or a substring, also a look at every string of the field.
    func slots(_ condition: Filter.Condition, among live: SlotSet) -> SlotSet {
        var result = SlotSet()
        switch condition {
        case .isAny(of: let values):
            for value in values { insertSlots(equal: value, into: &result, among: live) }
        case .isWithin(let range):
            numbers.insertSlots(in: range, into: &result)
            if case .strings = range.bounds {
                for (text, posting) in strings where range.contains(text) { posting.insert(into: &result) }
            }
        case .exists:
            present.insert(into: &result)
        case .contains(let value):
            insertSlots(containing: value, into: &result, among: live)
        }
        return result
    }

    private func insertSlots(equal value: FilterValue, into result: inout SlotSet, among live: SlotSet) {
        switch value {
        case .null:
            var without = SlotSet()
            present.insert(into: &without)
            result.formUnion(live.subtracting(without))
            nulls.insert(into: &result)
        case .bool(let flag): (flag ? yes : no).insert(into: &result)
        case .number(let number): numbers.insertSlots(at: number, into: &result)
        case .string(let text): strings[text]?.insert(into: &result)
        }
    }

    private func insertSlots(containing value: FilterValue, into result: inout SlotSet, among live: SlotSet) {
        var elements = SlotSet()
        insertSlots(equal: value, into: &elements, among: live)
        var lists = SlotSet()
        self.lists.insert(into: &lists)
        if case .string(let part) = value {
            for (text, posting) in strings where text.text.hasBytes(of: part.text) { posting.insert(into: &result) }
            result.subtract(lists)
        }
        elements.formIntersection(lists)
        result.formUnion(elements)
    }
}

extension String {
    /// Whether the UTF-8 of `part` is in that of the string.
    func hasBytes(of part: String) -> Bool {
        var (text, part) = (self, part)
        return text.withUTF8 { text in
            part.withUTF8 { part in
                // An empty string may have no address.
                part.isEmpty || !text.isEmpty && quire_has_bytes(text.baseAddress!, text.count, part.baseAddress!, part.count) != 0
            }
        }
    }
}
