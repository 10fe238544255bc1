import Glibc
import HTTPTypes
import Synchronization
import TestSupport
import Testing

@testable import HTTP

@Suite("Spooled bodies") struct SpooledBodyTests {
    private struct Full: Error {}

    private func sent(_ body: SpooledBody) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try body.send { bytes += $0 }
        return bytes
    }

    @Test("gives back what was appended, in order, in pieces of a bounded size", arguments: [0, 1, 65_536, 65_537, 1_000_000])
    func keeps(count: Int) throws {
        let directory = TemporaryDirectory()
        let body = try SpooledBody(in: directory.path)
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var rest = bytes[...]
        var random = SplitMix(seed: UInt64(count))
        while !rest.isEmpty {
            let part = rest.prefix(Int.random(in: 1...5000, using: &random))
            try body.append(part)
            rest = rest.dropFirst(part.count)
        }

        #expect(body.count == count)
        #expect(try sent(body) == bytes && sent(body) == bytes)
        try body.send { #expect($0.count <= 65_536) }
    }

    @Test("has no name, and takes room in its directory only until it is gone")
    func isUnlinked() throws {
        let directory = TemporaryDirectory()
        var body: SpooledBody? = try SpooledBody(in: directory.path)
        try body?.append([UInt8](repeating: 1, count: 200_000))

        #expect(try directory.names().isEmpty)
        #expect(openFiles(in: directory.path) == 1)
        body = nil
        #expect(openFiles(in: directory.path) == 0)
    }

    /// Descriptors of this process for files in the directory.
    private func openFiles(in directory: String) -> Int {
        (0..<1024).count { descriptor in
            var target = [CChar](repeating: 0, count: 4096)
            let count = readlink("/proc/self/fd/\(descriptor)", &target, target.count - 1)
            return count > 0
                && String(decoding: target.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self).hasPrefix(directory + "/")
        }
    }

    @Test("asks before it takes room, and keeps what it has when there is none")
    func isAdmitted() throws {
        let directory = TemporaryDirectory()
        let admitted = Mutex(0)
        let body = try SpooledBody(in: directory.path) { bytes in
            try admitted.withLock { admitted in
                guard admitted + bytes <= 150_000 else { throw Full() }
                admitted += bytes
            }
        }
        let part = [UInt8](repeating: 7, count: 40_000)

        for _ in 0..<4 { try body.append(part) }
        #expect(throws: Full.self) { try body.append(part) }

        #expect(body.count == 160_000)
        #expect(admitted.withLock { $0 } == 120_000)
        #expect(try sent(body) == [UInt8](repeating: 7, count: 160_000))
    }

    @Test("fails where there is no directory")
    func fails() {
        #expect(throws: SpooledBody.Failed(call: "open", errno: ENOENT)) { try SpooledBody(in: "/nonexistent/directory") }
    }

    @Test("stops when nobody takes what it sends")
    func stops() throws {
        let directory = TemporaryDirectory()
        let body = try SpooledBody(in: directory.path)
        for _ in 0..<10 { try body.append([UInt8](repeating: 1, count: 50_000)) }
        var pieces = 0

        #expect(throws: Full.self) {
            try body.send { _ in
                pieces += 1
                throw Full()
            }
        }
        #expect(pieces == 1)
    }

    @Test("makes a response that announces its length")
    func response() throws {
        let directory = TemporaryDirectory()
        let body = try SpooledBody(in: directory.path)
        try body.append(Array("one\ntwo\n".utf8))

        let response = Response(status: .ok, headers: [.contentType: "application/x-ndjson"], spooled: body)

        #expect(response.headers == [.contentType: "application/x-ndjson", .contentLength: "8"])
        var sent: [UInt8] = []
        try response.stream?({ sent += $0 })
        #expect(sent == Array("one\ntwo\n".utf8))
    }
}
