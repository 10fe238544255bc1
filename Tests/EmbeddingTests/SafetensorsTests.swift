import Glibc
import TestSupport
import Testing

@testable import Embedding

@Suite("Safetensors") struct SafetensorsTests {
    private let directory = TemporaryDirectory()

    private func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
        try SafetensorsFile(path: directory.write("x.safetensors", bytes))
    }

    @Test("reads tensors, whatever the order, the spacing and the metadata")
    func reads() throws {
        let header = """
             {"b\\u0062\\n\\t\\r\\b\\f\\/\\"\\\\" : { "shape":[ 2 , 1 ],"data_offsets" :[4,12], "dtype":"F32" },
            "__metadata__":{"format":"pt","note":"é"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},
            "empty":{"dtype":"I64","shape":[0,7],"data_offsets":[12,12]}, "half":{"dtype":"F16","shape":[1],"data_offsets":[12,14]}}   
            """
        let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        let data = littleEndian(Float(1).bitPattern) + littleEndian(Float(2).bitPattern) + littleEndian(Float(3).bitPattern) + [0, 0]

        let file = try open(safetensors(padded, data: data))

        #expect(try file.float32("a", shape: []).pointee == 1)
        let b = try file.float32("bb\n\t\r\u{8}\u{C}/\"\\", shape: [2, 1])
        #expect(b[0] == 2 && b[1] == 3)
        #expect(try file.rows(of: "empty") == 0)
        for (name, shape, complaint) in [("a", [1], "has shape []"), ("c", [], "is missing"), ("half", [1], "of type F16")]
            as [(String, [Int], String)]
        {
            #expect(reason { _ = try file.float32(name, shape: shape) }?.contains(complaint) == true)
        }
        #expect(reason { _ = try file.rows(of: "c") } != nil)
        #expect(reason { _ = try file.rows(of: "a") } != nil)
    }

    /// Why the file was refused, or nil if it was not.
    private func reason(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch EmbeddingError.invalidModelFile(_, let reason) {
            return reason
        } catch {
            Issue.record("unexpected \(error)")
            return nil
        }
    }

    @Test(
        "refuses a header that is not of the format",
        arguments: [
            "", "[]", "{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":1}", "{\"a\":{}}", "{} {}", "{}x", "{\"a\":{\"dtype\":\"F32\"}}",
            "{\"a\\", "{\"a\\x\":{}}",
            "{\"a\\u12", "{\"a\\u12", "{\"\\ud800\":{}}", "{\"\\u+123\":{}}", "{\"a\u{1}\":{}}", "{\"__metadata__\":{\"a\":1}}",
            "{\"__metadata__\":{},\"__metadata__\":{}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}",
            "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[01],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,0]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,3],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999999],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[\(Array(repeating: "1", count: 33).joined(separator: ","))],\"data_offsets\":[0,4]}}",
            // the data: 4 bytes
            "{}", "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}",
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]}}",
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[1,4]}}",
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}",
        ])
    func refusesHeader(header: String) {
        #expect(reason { _ = try open(safetensors(header, data: [0, 0, 0, 0])) } != nil)
    }

    @Test("refuses a file that ends anywhere else, and lengths that are not in it")
    func refusesLength() throws {
        let whole = safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", data: [0, 0, 0, 0])
        _ = try open(whole)

        for count in 0..<whole.count { #expect(reason { _ = try open(Array(whole.prefix(count))) } != nil, "\(count) bytes") }
        #expect(reason { _ = try open(whole + [0]) } != nil)
        for length in [UInt64.max, 1 << 63, 1 << 40, UInt64(whole.count)] {
            #expect(reason { _ = try open(littleEndian(length) + whole.dropFirst(8)) } != nil)
        }
    }

    @Test("survives any single damaged byte of the header")
    func survivesDamage() throws {
        let whole = safetensors("{\"a\\n\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", data: [0, 0, 0, 0])
        var refused = 0
        for position in 0..<whole.count - 4 {
            for byte in [0x00, 0x22, 0x2C, 0x30, 0x5C, 0x7D, 0xFF] as [UInt8] where whole[position] != byte {
                var damaged = whole
                damaged[position] = byte
                refused += reason { _ = try open(damaged) } == nil ? 0 : 1
            }
        }
        // A different name is no damage the format could show.
        #expect(refused > 350)
    }

    @Test("refuses numbers that do not lie where the CPU can read them")
    func refusesAlignment() throws {
        let header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
        let padded = header + String(repeating: " ", count: (4 - header.utf8.count % 4) % 4 + 1)
        let file = try open(safetensors(padded, data: [0, 0, 0, 0]))

        #expect(reason { _ = try file.float32("a", shape: [1]) }?.contains("not aligned") == true)
    }

    @Test("says what the system refused")
    func unreadable() {
        #expect(throws: EmbeddingError.unreadableFile(path: "/nonexistent", reason: "cannot open: No such file or directory")) {
            try MappedFile(path: "/nonexistent")
        }
        #expect(throws: EmbeddingError.unreadableFile(path: directory.path, reason: "not a regular file")) {
            try MappedFile(path: directory.path)
        }
    }
}
