/// Reads the few JSON values a safetensors header is made of: objects, strings and arrays of whole numbers.
struct SafetensorsScanner {
    typealias Invalid = SafetensorsHeader.Invalid

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Calls `member` with each name; it must read the value.
    mutating func object(_ member: (inout SafetensorsScanner, String) throws(Invalid) -> Void) throws(Invalid) {
        try expect("{")
        guard !consume("}") else { return }
        repeat {
            let name = try string()
            try expect(":")
            try member(&self, name)
        } while consume(",")
        try expect("}")
    }

    /// An array of whole numbers that are not negative.
    mutating func integers() throws(Invalid) -> [Int] {
        try expect("[")
        var values: [Int] = []
        guard !consume("]") else { return values }
        repeat {
            guard values.count < Self.maximumArrayLength else { throw invalid("an array is too long") }
            values.append(try integer())
        } while consume(",")
        try expect("]")
        return values
    }

    /// Dimensions of a tensor; real ones have at most five.
    private static let maximumArrayLength = 32

    private mutating func integer() throws(Invalid) -> Int {
        skipSpace()
        let start = position
        var value = 0
        while position < bytes.count, case let digit = Int(bytes[position]) - 0x30, (0...9).contains(digit) {
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(digit)
            guard !overflow, !carry else { throw invalid("a number is too large") }
            value = sum
            position += 1
        }
        guard position > start else { throw invalid("a whole number was expected") }
        guard position == start + 1 || bytes[start] != UInt8(ascii: "0") else { throw invalid("a number begins with 0") }
        return value
    }

    mutating func string() throws(Invalid) -> String {
        try expect("\"")
        var content: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: content, as: UTF8.self) else { throw invalid("a string is not UTF-8") }
                return string
            case UInt8(ascii: "\\"):
                content.append(contentsOf: String(try escape()).utf8)
            case ..<0x20:
                throw invalid("a control character is in a string")
            default:
                content.append(byte)
            }
        }
        throw invalid("a string does not end")
    }

    /// What follows a backslash. Surrogate pairs are refused: no tensor is named outside the basic plane.
    private mutating func escape() throws(Invalid) -> Unicode.Scalar {
        guard position < bytes.count else { throw invalid("a string does not end") }
        defer { position += 1 }
        switch bytes[position] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard bytes.count - position > 4 else { throw invalid("a string does not end") }
            let digits = bytes[position + 1...position + 4]
            guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16), let scalar = Unicode.Scalar(value)
            else { throw invalid("an escape is not a character") }
            position += 4
            return scalar
        default: throw invalid("an escape is unknown")
        }
    }

    /// Nothing but space may follow: the format lets a header be padded with it.
    mutating func end() throws(Invalid) {
        skipSpace()
        guard position == bytes.count else { throw invalid("something follows the header's object") }
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(Invalid) {
        guard consume(character) else { throw invalid("'\(character)' was expected") }
    }

    private mutating func consume(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    private func invalid(_ reason: String) -> Invalid {
        Invalid(reason: "the header is damaged at byte \(position): \(reason)")
    }
}
