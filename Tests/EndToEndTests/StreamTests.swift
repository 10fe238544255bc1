import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("Streams of documents through nginx")
struct StreamTests {
    private static let dimension = 64

    /// Lines of documents with vectors of their own, `bytes` long each: the rest is white space.
    private func lines(_ numbers: Range<Int>, bytes: Int = 0) -> [UInt8] {
        let vector = Array(repeating: "0.123456", count: Self.dimension - 1).joined(separator: ",")
        var text: [UInt8] = []
        text.reserveCapacity(numbers.count * bytes)
        for number in numbers {
            let line = #"{"title":"\#(number)","chunks":[{"text":"\#(number)","embedding":[\#(number),\#(vector)]}]"#
            text += Array(line.utf8)
            text += [UInt8](repeating: 0x20, count: max(0, bytes - line.utf8.count - 2))
            text += Array("}\n".utf8)
        }
        return text
    }

    private func head(_ library: String, length: Int) -> [UInt8] {
        Array(
            """
            POST /v1/libraries/\(library)/documents/stream HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\
            Content-Type: application/x-ndjson\r\nContent-Length: \(length)\r\n\r\n
            """.utf8)
    }

    private func createLibrary(_ quire: QuireInstance) throws -> String {
        try quire.createLibrary(#"{"name":"test","embedding_dimension":\#(Self.dimension),"metric":"l2"}"#)
    }

    private func documentCount(_ quire: QuireInstance, _ library: String) throws -> Int? {
        try quire.get("/v1/libraries/\(library)").json["num_documents"]?.integer
    }

    /// A figure of /proc/<pid>/status, in bytes.
    private func memory(_ quire: QuireInstance, _ name: String) throws -> Int {
        let file = FileManager.default.contents(atPath: "/proc/\(try #require(quire.responder))/status")
        let status = String(decoding: file ?? Data(), as: UTF8.self)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("\(name):") })
        return try #require(Int(line.split(whereSeparator: \.isWhitespace)[1])) << 10
    }

    @Test("100 MB from a client that sends everything before it reads, in bounded memory, with a reply to each line")
    func long() throws {
        let quire = try QuireInstance(noModel)
        let library = try createLibrary(quire)
        let count = 10_000
        func stream(_ body: [UInt8]) throws -> HTTPReply { try #require(quire.raw(head(library, length: body.count) + body)) }
        #expect(try stream(lines(0..<1)).status == 200)
        let before = try memory(quire, "VmRSS")

        let reply = try stream(lines(0..<count, bytes: 10_000))

        #expect(reply.status == 200 && reply["content-type"] == "application/x-ndjson" && reply.isComplete)
        let results = try reply.body.split(separator: 0x0A).map { try JSON(parsing: Array($0)) }
        #expect(results.map { $0["line"]?.integer } == Array(1...count))
        #expect(results.allSatisfy { $0["error"] == nil })
        #expect(try documentCount(quire, library) == count + 1)
        // A document takes less than 2 KB with its vector, its ids, and what finds it.
        #expect(try memory(quire, "VmHWM") - before <= 64 << 20 + count * 2048)
        let spooled = try FileManager.default.contentsOfDirectory(atPath: quire.dataDirectory).filter { $0.hasPrefix("spool") }
        #expect(spooled.isEmpty)
    }

    @Test("of a client that leaves in the middle the lines up to there are stored")
    func leaves() throws {
        let quire = try QuireInstance(noModel)
        let library = try createLibrary(quire)
        let descriptor = try #require(connectLocally(port: quire.port))
        let sent = head(library, length: 1 << 30) + lines(0..<300) + Array(#"{"title":"#.utf8)

        #expect(sendAll(sent, to: descriptor))
        try quire.waitUntil("the first lines are stored") { (try? documentCount(quire, library)) ?? 0 > 0 }
        close(descriptor)

        try quire.waitUntil("all that came is stored") { (try? documentCount(quire, library)) == 300 }
        // The thread that read it is free again.
        let body = lines(0..<1)
        #expect(try #require(quire.raw(head(library, length: body.count) + body)).status == 200)
    }

    @Test("what was stored of a stream is there after the responder is killed in the middle of it")
    func killed() throws {
        let quire = try QuireInstance(noModel)
        let library = try createLibrary(quire)
        let descriptor = try #require(connectLocally(port: quire.port))
        defer { close(descriptor) }
        let sent = head(library, length: 1 << 30) + lines(0..<300)
        #expect(sendAll(sent, to: descriptor))
        try quire.waitUntil("the first lines are stored") { (try? documentCount(quire, library)) ?? 0 > 0 }
        let seen = try #require(try documentCount(quire, library))

        try quire.killResponder()

        #expect(try #require(try documentCount(quire, library)) >= seen)
    }
}
