import CSimdJSON

/// Writes JSON text as bytes. Commas are its own business; balanced begin and end calls are the caller's.
package struct JSONWriter: ~Copyable {
    private var bytes: [UInt8] = []
    /// Whether the next key or value stands behind another one.
    private var needsComma = false

    package init(capacity: Int = 512) {
        bytes.reserveCapacity(capacity)
    }

    package consuming func finish() -> [UInt8] { bytes }

    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        begin(UInt8(ascii: "{"))
        body(&self)
        end(UInt8(ascii: "}"))
    }

    package mutating func array(_ body: (inout JSONWriter) -> Void) {
        begin(UInt8(ascii: "["))
        body(&self)
        end(UInt8(ascii: "]"))
    }

    package mutating func array(_ values: some Sequence<Float>) {
        array { writer in
            for value in values { writer.value(value) }
        }
    }

    package mutating func array(_ values: some Sequence<String>) {
        array { writer in
            for value in values { writer.value(value) }
        }
    }

    // MARK: Members

    package mutating func member(_ name: StaticString, _ text: String) { key(name); value(text) }
    package mutating func member(_ name: StaticString, _ number: Int) { key(name); value(number) }
    package mutating func member(_ name: StaticString, _ number: Float) { key(name); value(number) }
    package mutating func member(_ name: StaticString, _ number: Double) { key(name); value(number) }
    package mutating func member(_ name: StaticString, _ flag: Bool) { key(name); value(flag) }

    /// An absent value is written as null.
    package mutating func member(_ name: StaticString, _ text: String?) {
        key(name)
        if let text { value(text) } else { null() }
    }

    package mutating func member(_ name: StaticString, _ number: Int?) {
        key(name)
        if let number { value(number) } else { null() }
    }

    /// The member's value is the next one written.
    package mutating func key(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// As above, for names known only at run time.
    package mutating func key(_ name: String) {
        value(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    // MARK: Values

    package mutating func null() { raw("null") }
    package mutating func value(_ flag: Bool) { raw(flag ? "true" : "false") }

    package mutating func value(_ number: Int) {
        text { quire_json_write_integer(Int64(number), $0) }
    }

    /// The shortest text that reads back as the same float.
    package mutating func value(_ number: Float) {
        precondition(number.isFinite, "JSON has no infinities")
        text { quire_json_write_float(number, $0) }
    }

    package mutating func value(_ number: Double) {
        precondition(number.isFinite, "JSON has no infinities")
        text { quire_json_write_double(number, $0) }
    }

    package mutating func value(_ string: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { escape($0) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Text that is JSON already.
    package mutating func raw(_ json: StaticString) {
        separate()
        bytes.append(contentsOf: UnsafeBufferPointer(start: json.utf8Start, count: json.utf8CodeUnitCount))
    }

    /// Appends a run at a time: most text has nothing to escape.
    private mutating func escape(_ text: UnsafeBufferPointer<UInt8>) {
        var start = 0
        for index in text.indices {
            let byte = text[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            bytes.append(contentsOf: text[start..<index])
            start = index + 1
            switch byte {
            case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            default:
                let digits = Array("0123456789abcdef".utf8)
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            }
        }
        bytes.append(contentsOf: text[start...])
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func text(_ write: (UnsafeMutablePointer<CChar>) -> Int) {
        separate()
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            let count = write(buffer.baseAddress!)
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: buffer.baseAddress!, count: count))
        }
    }
}
