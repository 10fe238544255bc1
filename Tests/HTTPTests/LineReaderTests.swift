import HTTPTypes
import TestSupport
import Testing

@testable import HTTP

/// A body that arrives in given pieces and may break off.
final class PieceBody: IncomingBody {
    private var pieces: ArraySlice<[UInt8]>
    private let error: IncomingBodyError?

    init(_ pieces: [[UInt8]], error: IncomingBodyError? = nil) {
        self.pieces = pieces[...]
        self.error = error
    }

    func read(atMost limit: Int) throws(IncomingBodyError) -> [UInt8]? {
        if let piece = pieces.popFirst() { return piece }
        if let error { throw error }
        return nil
    }
}

@Suite("Lines of a body") struct LineReaderTests {
    private func lines(_ body: any IncomingBody, maxLineBytes: Int = 100) throws(IncomingBodyError) -> [LineReader.Line] {
        var reader = LineReader(body, maxLineBytes: maxLineBytes)
        var lines: [LineReader.Line] = []
        while let line = try reader.next() { lines.append(line) }
        return lines
    }

    private func line(_ number: Int, _ text: String?) -> LineReader.Line {
        LineReader.Line(number: number, content: text.map { .bytes(Array($0.utf8)) } ?? .tooLong)
    }

    @Test(
        "end at LF or CR LF, the last one anywhere; blank ones are counted and left out",
        arguments: [
            ("", []), ("a", [(1, "a")]), ("a\n", [(1, "a")]), ("a\nb", [(1, "a"), (2, "b")]), ("a\r\nb\r\n", [(1, "a"), (2, "b")]),
            ("\n\na\n \t\r\n\nb\n\n", [(3, "a"), (6, "b")]), ("a\rb\r\r\n", [(1, "a\rb\r")]), (" a ", [(1, " a ")]), ("\r", []),
        ])
    func ends(text: String, expected: [(number: Int, text: String)]) throws {
        let found = try lines(CompleteBody(Array(text.utf8)))

        #expect(found == expected.map { line($0.number, $0.text) })
    }

    @Test("a line that is too long is told and left out, the others are not")
    func tooLong() throws {
        let text = "1234\n12345\n123456\n1234\r\n12345\r\n1\n" + String(repeating: "x", count: 200_000) + "\nlast"

        let found = try lines(CompleteBody(Array(text.utf8)), maxLineBytes: 5)

        #expect(
            found == [
                line(1, "1234"), line(2, "12345"), line(3, nil), line(4, "1234"), line(5, "12345"), line(6, "1"), line(7, nil),
                line(8, "last"),
            ])
        #expect(try lines(CompleteBody(Array("123456".utf8)), maxLineBytes: 5) == [line(1, nil)])
    }

    @Test("lines are the same however the body arrives")
    func pieces() throws {
        for seed in 0..<200 as Range<UInt64> {
            var random = SplitMix(seed: seed)
            let text = (0..<Int.random(in: 0..<60, using: &random)).map { _ in
                ["\n", "\r\n", "\r", " ", "a", "bcd", "x\n"].randomElement(using: &random)!
            }.joined()
            let limit = Int.random(in: 0..<8, using: &random)
            var rest = Array(text.utf8)[...]
            var pieces: [[UInt8]] = []
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1..<10, using: &random))
                pieces.append(Array(piece))
                rest = rest.dropFirst(piece.count)
            }

            let found = try lines(PieceBody(pieces), maxLineBytes: limit)

            #expect(found == model(Array(text.utf8), limit), "seed \(seed)")
        }
    }

    /// The lines of a text by the definition.
    private func model(_ text: [UInt8], _ limit: Int) -> [LineReader.Line] {
        var parts = text.split(separator: 0x0A, omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        return parts.enumerated().compactMap { index, part in
            let line = part.last == 0x0D ? part.dropLast() : part
            if line.count > limit { return LineReader.Line(number: index + 1, content: .tooLong) }
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return nil }
            return LineReader.Line(number: index + 1, content: .bytes(Array(line)))
        }
    }

    @Test("a body that breaks off gives its whole lines first")
    func breaksOff() throws {
        var reader = LineReader(PieceBody([Array("a\nb".utf8), Array("\nc".utf8)], error: .clientGone), maxLineBytes: 100)

        #expect(try reader.next() == line(1, "a"))
        #expect(try reader.next() == line(2, "b"))
        #expect(throws: IncomingBodyError.clientGone) { try reader.next() }
    }

    @Test("a body that is there is read in pieces of the length asked for")
    func completeBody() {
        let body = CompleteBody([1, 2, 3, 4, 5])

        #expect(body.read(atMost: 2) == [1, 2] && body.read(atMost: 2) == [3, 4] && body.read(atMost: 2) == [5])
        #expect(body.read(atMost: 2) == nil && body.read(atMost: 2) == nil)
    }

    @Test("a handler of either kind answers a request whose body is there")
    func handlers() {
        let request = Request(method: .post, path: "/", body: [1, 2, 3], id: "")
        let whole = RequestHandler.whole { Response(status: .ok, body: $0.body) }
        let streamed = RequestHandler.streamed { _, body in Response(status: .ok, body: (try? body.read(atMost: 9)) ?? []) }

        #expect(whole.respond(to: request).body == [1, 2, 3])
        #expect(streamed.respond(to: request).body == [1, 2, 3])
    }
}
