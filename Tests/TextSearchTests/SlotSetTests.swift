import TestSupport
import Testing

@testable import TextSearch

@Suite("Set of slots")
struct SlotSetTests {
    private func pair(_ random: inout SplitMix, below limit: UInt32) -> (SlotSet, Set<UInt32>) {
        let slots = (0..<Int.random(in: 0..<200, using: &random)).map { _ in UInt32.random(in: 0..<limit, using: &random) }
        return (SlotSet(slots), Set(slots))
    }

    @Test("agrees with a set of the standard library")
    func agreesWithSet() {
        let seed: UInt64 = 51
        var random = SplitMix(seed: seed)
        var slots = SlotSet()
        var model: Set<UInt32> = []
        for step in 0..<3000 {
            let slot = UInt32.random(in: 0..<(step < 1000 ? 70 : 700), using: &random)
            if Bool.random(using: &random) {
                slots.insert(slot)
                model.insert(slot)
            } else {
                slots.remove(slot)
                model.remove(slot)
            }
            #expect(slots.contains(slot) == model.contains(slot))
            #expect(slots.count == model.count && slots.isEmpty == model.isEmpty)
        }
        #expect(!model.isEmpty)
        #expect((0..<800).allSatisfy { slots.contains($0) == model.contains($0) })
        #expect(slots == SlotSet(model))
        var listed: [UInt32] = []
        slots.forEach { listed.append($0) }
        #expect(listed == model.sorted())
        #expect(slots.prefix(7) == Array(model.sorted().prefix(7)) && slots.prefix(10_000) == model.sorted() && slots.prefix(0) == [])
        for start in 0..<800 as Range<UInt32> {
            #expect(slots.first(from: start) == model.filter { $0 >= start }.min())
        }
        #expect(slots.first == model.min())
    }

    @Test("combines with others as sets do, however long they are")
    func combines() {
        let seed: UInt64 = 52
        var random = SplitMix(seed: seed)
        for step in 0..<200 {
            let (left, leftModel) = pair(&random, below: [10, 64, 65, 500][step % 4])
            let (right, rightModel) = pair(&random, below: [10, 64, 65, 500][step / 4 % 4])

            #expect(left.union(right) == SlotSet(leftModel.union(rightModel)))
            #expect(left.intersection(right) == SlotSet(leftModel.intersection(rightModel)))
            #expect(left.subtracting(right) == SlotSet(leftModel.subtracting(rightModel)))
            #expect(left.isDisjoint(with: right) == leftModel.isDisjoint(with: rightModel))
            #expect(left.intersection(right).isSubset(of: left) && left.isSubset(of: right) == leftModel.isSubset(of: rightModel))
            #expect((left == right) == (leftModel == rightModel))
            var changed = left
            changed.formUnion(right)
            changed.subtract(right)
            changed.formIntersection(left)
            #expect(changed == SlotSet(leftModel.subtracting(rightModel)))
        }
    }

    @Test(
        "is made of ranges", arguments: [0..<0, 0..<1, 0..<64, 3..<64, 63..<65, 64..<128, 70..<71, 5..<300, 128..<128] as [Range<UInt32>])
    func fromRange(_ range: Range<UInt32>) {
        #expect(SlotSet(range) == SlotSet(Array(range)))
        #expect(SlotSet(range).count == range.count)
    }

    @Test("takes many slots at once, in any order")
    func insertsMany() {
        let seed: UInt64 = 53
        var random = SplitMix(seed: seed)
        var slots = SlotSet()
        var model: Set<UInt32> = []
        for limit in [1, 64, 5000, 300] as [UInt32] {
            let added = (0..<Int(limit / 2)).map { _ in UInt32.random(in: 0..<limit, using: &random) }
            slots.insert(contentsOf: added.span)
            model.formUnion(added)
            #expect(slots == SlotSet(model), "seed \(seed)")
        }
        #expect(model.count > 1000)
    }

    @Test("is equal whatever it has had")
    func forgets() {
        var slots: SlotSet = [1, 1000]
        slots.remove(1000)
        slots.remove(5000)
        #expect(slots == [1] && [1] == slots && slots != [2])

        slots.reserve(9000)
        slots.removeAll()

        #expect(slots.isEmpty && slots == SlotSet() && slots.first == nil && slots.sizeInBytes > 0)
    }
}
