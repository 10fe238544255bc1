import Testing

@testable import Database

@Suite("Passages around what was found")
struct PassageTests {
    private func document(_ chunks: [(text: String, start: Int?)]) throws -> Document {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        let records = chunks.enumerated().map { index, chunk in
            ChunkRecord(
                id: .number(index), text: chunk.text,
                offsets: chunk.start.map { $0..<$0 + chunk.text.unicodeScalars.count }, embedding: [1, 0, 0, 0])
        }
        try test.database.put(1, in: library, records)
        return try test.database.document(.number(1)).document
    }

    /// What each part of a passage says.
    private func parts(_ passage: Passage) -> [String] {
        let scalars = Array(passage.text.unicodeScalars)
        return passage.parts.map { part in
            var text = ""
            text.unicodeScalars.append(contentsOf: scalars[part.range])
            return text
        }
    }

    @Test("have what overlaps once, a space for white space, and nothing where a word was cut, and each chunk stands where they say")
    func cut() throws {
        // "Ä fox came. It ran  away from us"
        let chunks = [("Ä fox came.", 0), ("came. It ran", 6), ("away", 20), ("from us", 24)]
        let document = try document(chunks.map { ($0.0, $0.1) })

        let whole = Passage(around: 1, of: document, before: 9, after: 9)
        #expect(whole.text == "Ä fox came. It ran awayfrom us")
        #expect(parts(whole) == chunks.map(\.0) && whole.parts.map(\.chunkIndex) == [0, 1, 2, 3])
        let one = Passage(around: 1, of: document, before: 0, after: 0)
        #expect(one.text == "came. It ran" && one.parts == [Passage.Part(chunkIndex: 1, range: 0..<12)])
        let end = Passage(around: 3, of: document, before: 1, after: 5)
        #expect(end.text == "awayfrom us" && parts(end) == ["away", "from us"])
    }

    @Test("put chunks that were not cut from one text on lines of their own")
    func apart() throws {
        let document = try document([("one", nil), ("two", 10), ("three", 2), ("e\u{301}", nil)])
        let passage = Passage(around: 2, of: document, before: 2, after: 1)
        #expect(passage.text.unicodeScalars.elementsEqual("one\ntwo\nthree\ne\u{301}".unicodeScalars))
        #expect(passage.parts.map(\.range) == [0..<3, 4..<7, 8..<13, 14..<16])
    }

    @Test("come with results, if asked for")
    func results() throws {
        let test = try TestDatabase()
        let library = try test.database.makeLibrary()
        try test.database.put(1, in: library, [chunk(1, [1, 0, 0, 0], text: "a"), chunk(2, [0, 1, 0, 0], text: "b")])
        var query = SearchQuery(vector: [0, 1, 0, 0], count: 2)
        #expect(try test.database.search(in: library, query).hits.allSatisfy { $0.passage == nil })
        query.expansion = (before: 1, after: 0)
        #expect(try test.database.search(in: library, query).hits.map(\.passage?.text) == ["a\nb", "a"])
    }
}
