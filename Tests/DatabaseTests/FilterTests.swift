import TestSupport
import Testing
import TextSearch

@testable import Database

/// `ModelTests` filters as well, among few documents that change all the time. Here they are many.
@Suite("Filters")
struct FilterTests {
    @Test("admit what their definition admits, among a thousand chunks, as documents come, change and go")
    func property() throws {
        let test = try TestDatabase(builderThreads: 0)
        let database = test.database
        let library = try database.makeLibrary()
        var generator = SplitMix(seed: seed("filters", standard: 5))
        var compared = 0
        var next = 0
        func chunks() -> [ChunkRecord] {
            (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                next += 1
                return ChunkRecord(
                    id: .number(next), text: "", pageNumber: generator.chance(50) ? Int.random(in: 0...2, using: &generator) : nil,
                    custom: generator.custom(), embedding: generator.exactVector())
            }
        }
        for round in 0..<8 {
            for number in 0..<500 where round == 0 || generator.chance(20) {
                switch Int.random(in: 0..<(round == 0 ? 1 : 3), using: &generator) {
                case 0:
                    _ = try database.putDocument(
                        id: .number(number), in: library, metadata: generator.metadata(), chunks: chunks(), onConflict: .replace)
                case 1: _ = try? database.deleteDocument(.number(number))
                default:
                    let edit = DocumentEdit(metadata: generator.metadata(), put: chunks())
                    _ = try? database.updateDocument(.number(number)) { _ in edit }
                }
            }
            let documents = try database.dump().libraries[0].documents
            for _ in 0..<count("QUIRE_FILTERS", standard: 100) {
                let filter = generator.filter()
                let admitted = documents.map { document in
                    document.chunks.indices.filter { filter.admits(document.chunks[$0], at: $0, of: document) }.count
                }
                let expected = MatchCount(documents: admitted.filter { $0 > 0 }.count, chunks: admitted.reduce(0, +))
                #expect(try database.count(in: library, passing: filter) == expected, "round \(round): \(filter)")
                compared += expected.chunks
            }
        }
        #expect(compared > 10_000)
    }

    @Test("numbers without end find their places: more of them than a block holds, in any order, gone again")
    func numbers() {
        var postings = SortedPostings()
        var generator = SplitMix(seed: seed("numbers", standard: 1))
        let keys = (0..<5000).map(Double.init).shuffled(using: &generator)
        for (slot, key) in keys.enumerated() { postings.insert(UInt32(slot), at: key, capacity: 5000) }
        for slot in 5000..<8000 { postings.insert(UInt32(slot), at: Double(slot), capacity: 8000) }

        for (lower, upper) in [(0.0, 7999.0), (17, 17), (511.5, 512.5), (1024, 4000), (7990, 9000), (-5, -1)] {
            let range = FilterRange(.numbers(lower: .init(lower, isIncluded: true), upper: .init(upper, isIncluded: false)))
            var found = SlotSet()
            postings.insertSlots(in: range, into: &found)
            let expected = (0..<8000).filter { slot in
                let key = slot < 5000 ? keys[slot] : Double(slot)
                return key >= lower && key < upper
            }
            #expect(found == SlotSet(expected.map(UInt32.init)))
        }
        for (slot, key) in keys.enumerated() where slot % 2 == 0 {
            postings.remove(UInt32(slot), at: key, capacity: 8000)
            // What is not there is not removed.
            postings.remove(UInt32(slot), at: key, capacity: 8000)
            postings.remove(UInt32(slot), at: key + 0.5, capacity: 8000)
        }
        var found = SlotSet()
        postings.insertSlots(in: FilterRange(.numbers(lower: nil, upper: nil)), into: &found)
        #expect(found == SlotSet((0..<8000).filter { $0 >= 5000 || $0 % 2 == 1 }.map(UInt32.init)))
    }

    @Test("a posting holds what was put into it, as one, as a list and as a set, and back")
    func posting() {
        var generator = SplitMix(seed: seed("posting", standard: 2))
        var posting = Posting.none
        var model: Set<UInt32> = []
        var forms: Set<String> = []
        for step in 0..<4000 {
            let slot = UInt32.random(in: 0..<600, using: &generator)
            // Grows, then shrinks.
            if generator.chance(step < 2000 ? 80 : 15) {
                posting.insert(slot, capacity: 600)
                model.insert(slot)
            } else {
                posting.remove(slot, capacity: 600)
                model.remove(slot)
            }
            forms.insert(String("\(posting)".prefix { $0 != "(" }))
            guard step % 50 == 0 || step > 3900 else { continue }
            var found = SlotSet()
            posting.insert(into: &found)
            #expect(found == SlotSet(model) && posting.isEmpty == model.isEmpty)
        }
        for slot in model { posting.remove(slot, capacity: 600) }
        #expect(posting.isEmpty && forms == ["one", "list", "set"] || forms == ["none", "one", "list", "set"])
    }

    @Test("columns go with their last value: fields that are gone take no memory")
    func columnsGo() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        let custom = CustomFields([(name: "rare", value: .string("x"))])!
        try test.database.put(1, in: library, [ChunkRecord(id: .number(1), text: "", custom: custom, embedding: [1, 0, 0, 0])])
        let rare = Filter.condition(.custom("rare"), .exists)
        #expect(try test.database.count(in: library, passing: rare) == MatchCount(documents: 1, chunks: 1))

        try test.database.put(1, in: library, [chunk(1, [1, 0, 0, 0])], onConflict: .replace)

        #expect(try test.database.count(in: library, passing: rare) == MatchCount(documents: 0, chunks: 0))
        #expect(try test.database.repository.library(library)!.hasColumn(.custom("rare")) == false)
        #expect(try test.database.repository.library(library)!.hasColumn(.title))
    }
}

extension Library {
    fileprivate func hasColumn(_ field: FilterField) throws -> Bool { fields.has(field) }
}
