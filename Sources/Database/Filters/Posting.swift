import TextSearch

/// The slots of the chunks that have one value in a field. Most values of most fields have one chunk, some have nearly all.
enum Posting {
    case none
    case one(UInt32)
    /// Ascending.
    case list([UInt32])
    case set(SlotSet, count: Int)

    /// From so many slots on it may be a set: below, one does not save enough.
    private static let longList = 64

    var isEmpty: Bool { if case .none = self { true } else { false } }

    /// Bytes of memory besides those of the value.
    var sizeInBytes: Int {
        switch self {
        case .none, .one: 0
        case .list(let slots): slots.capacity * MemoryLayout<UInt32>.stride
        case .set(let slots, _): slots.sizeInBytes
        }
    }

    /// - Parameter capacity: how many slots the library has: what a set takes memory for.
    mutating func insert(_ slot: UInt32, capacity: Int) {
        switch self {
        case .none:
            self = .one(slot)
        case .one(let other):
            if other != slot { self = .list(other < slot ? [other, slot] : [slot, other]) }
        case .list(var slots):
            // Taken out of the enumeration, so that it changes in place.
            self = .none
            if slots.last! < slot {
                slots.append(slot)
            } else {
                let position = slots.firstPosition { $0 >= slot }
                if slots[position] != slot { slots.insert(slot, at: position) }
            }
            // A set takes a bit for every slot, a list 32 for each of its own.
            self = slots.count > Self.longList && slots.count * 32 > capacity ? .set(SlotSet(slots), count: slots.count) : .list(slots)
        case .set(var slots, let count):
            guard !slots.contains(slot) else { return }
            self = .none
            slots.insert(slot)
            self = .set(slots, count: count + 1)
        }
    }

    mutating func remove(_ slot: UInt32, capacity: Int) {
        switch self {
        case .none:
            break
        case .one(let other):
            if other == slot { self = .none }
        case .list(var slots):
            self = .none
            let position = slots.firstPosition { $0 >= slot }
            if position < slots.count, slots[position] == slot { slots.remove(at: position) }
            self = slots.count == 1 ? .one(slots[0]) : .list(slots)
        case .set(var slots, var count):
            guard slots.contains(slot) else { return }
            self = .none
            slots.remove(slot)
            count -= 1
            // Half of what makes a set of a list: one that is about as large does not go back and forth.
            guard count <= Self.longList / 2 || count * 64 < capacity else { return self = .set(slots, count: count) }
            var list: [UInt32] = []
            slots.forEach { list.append($0) }
            self = list.isEmpty ? .none : list.count == 1 ? .one(list[0]) : .list(list)
        }
    }

    func insert(into result: inout SlotSet) {
        switch self {
        case .none: break
        case .one(let slot): result.insert(slot)
        case .list(let slots): result.insert(contentsOf: slots.span)
        case .set(let slots, _): result.formUnion(slots)
        }
    }
}
