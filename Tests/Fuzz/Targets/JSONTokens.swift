/// A JSON text as its tokens: what is needed to change one of them and keep most of the rest in form. Any bytes are tokens of some kind.
struct JSONTokens {
    private(set) var tokens: [[UInt8]] = []

    /// Strings, or more, that mean something somewhere.
    private let words: [[UInt8]]

    private static let openers = Array("{[".utf8)
    private static let closers = Array("}]".utf8)
    private static let marks = Array("{}[]:,".utf8)
    private static let quote = UInt8(ascii: "\"")

    /// What is at the edge of something somewhere.
    private static let numbers = [
        "null", "true", "false", "0", "-0", "1", "-1", "0.5", "99", "255", "256", "65536", "2147483647", "2147483648",
        "9007199254740993", "1e308", "1e-320", "1e999",
    ].map { Array($0.utf8) }
    private static let words = [
        #""""#, #"" ""#, #""a""#, #""\u0000""#, #""\ud83d\ude00""#, #""\ud83d""#, #""e\u0301""#,
        #""0d5a1b3c-2f64-4c1e-9f0a-6a0b7c8d9e01""#,
    ]

    /// - Parameter words: what the target takes for names and values, as JSON.
    init(_ text: some Sequence<UInt8>, words: [String]) {
        self.words = (Self.words + words).map { Array($0.utf8) }
        var token: [UInt8] = []
        var (isString, isEscaped) = (false, false)
        func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
        for byte in text {
            if isString {
                token.append(byte)
                if byte == Self.quote, !isEscaped {
                    isString = false
                    end()
                }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            } else if byte == Self.quote {
                end()
                token = [byte]
                isString = true
            } else if Self.marks.contains(byte) || isSpace(byte) {
                end()
                // Of white space only the ends of lines mean something, where a text is many.
                if Self.marks.contains(byte) || byte == 0x0A { tokens.append([byte]) }
            } else {
                token.append(byte)
            }
        }
        end()

        func end() {
            if !token.isEmpty { tokens.append(token) }
            token = []
        }
    }

    var text: [UInt8] { Array(tokens.joined()) }

    mutating func mutate(limit: Int, with mutator: inout Mutator) {
        guard !tokens.isEmpty else { return tokens = [words[mutator.choose(words.count)]] }
        // Names and values rather than marks, of which there are more.
        var index = mutator.choose(tokens.count)
        if isMark(tokens[index]), mutator.choose(4) > 0 { index = mutator.choose(tokens.count) }
        if isMark(tokens[index]), mutator.choose(4) > 0 { index = mutator.choose(tokens.count) }
        let value = value(at: index)
        switch mutator.choose(10) {
        case 0...3: tokens[index] = other(than: tokens[index], with: &mutator)
        case 4: tokens[index] = tokens[mutator.choose(tokens.count)]
        case 5: mutator.change(&tokens[index], limit: limit)
        case 6: tokens.removeSubrange(value)
        case 7: tokens.insert(contentsOf: [[UInt8(ascii: ",")]] + tokens[value], at: value.upperBound)
        // Another value in the place of this one.
        case 8: tokens.replaceSubrange(value, with: Array(tokens[self.value(at: mutator.choose(tokens.count))]))
        default: wrap(value, asMember: mutator.choose(2) == 0 ? nil : words[mutator.choose(words.count)])
        }
    }

    private func isMark(_ token: [UInt8]) -> Bool { token.count == 1 && Self.marks.contains(token[0]) }

    /// Mostly one of the same kind: another kind is seldom more than a mistake in form.
    private func other(than token: [UInt8], with mutator: inout Mutator) -> [UInt8] {
        if isMark(token) { return [Self.marks[mutator.choose(Self.marks.count)]] }
        return (token.first == Self.quote) == (mutator.choose(8) > 0)
            ? words[mutator.choose(words.count)] : Self.numbers[mutator.choose(Self.numbers.count)]
    }

    /// The token at `index`, and if it opens something all up to the end of that.
    private func value(at index: Int) -> Range<Int> {
        var (depth, end) = (0, index)
        repeat {
            if tokens[end].count == 1, Self.openers.contains(tokens[end][0]) { depth += 1 }
            if tokens[end].count == 1, Self.closers.contains(tokens[end][0]) { depth -= 1 }
            end += 1
        } while depth > 0 && end < tokens.count
        return index..<end
    }

    /// Makes the value the one element of an array, or the one member of an object.
    private mutating func wrap(_ value: Range<Int>, asMember name: [UInt8]?) {
        tokens.insert(Array((name == nil ? "]" : "}").utf8), at: value.upperBound)
        tokens.insert(contentsOf: name.map { [Array("{".utf8), $0, Array(":".utf8)] } ?? [Array("[".utf8)], at: value.lowerBound)
    }
}
