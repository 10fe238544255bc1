import JSON
import Testing

private func read<Result>(_ text: String, _ body: (JSONReader) throws -> Result) throws -> Result {
    let reader = JSONReader(try JSONDocument(parsing: Array(text.utf8)))
    let result = try body(reader)
    try reader.finish()
    return result
}

private func problems(_ text: String, _ body: (JSONReader) -> Void) throws -> [JSONProblem] {
    let reader = JSONReader(try JSONDocument(parsing: Array(text.utf8)))
    body(reader)
    do {
        try reader.finish()
        return []
    } catch {
        return error.problems
    }
}

private enum Colour: String, CaseIterable { case red, green }

struct JSONReaderTests {
    @Test("values of every type are read as they are written")
    func readsValues() throws {
        let text = #"{"s":"é\u0000\"","i":-7,"n":1.5,"b":true,"c":"green","f":[1,2.5,-3],"a":["x","y"],"none":null,"o":{"k":1}}"#
        try read(text) { reader in
            reader.readObject { object in
                #expect(!object.isEmpty)
                #expect(object.has("s"))
                #expect(!object.has("none"))
                #expect(!object.has("absent"))
                #expect(object.required("s") { $0.string(length: 3...3) } == "é\0\"")
                #expect(object.required("i") { $0.integer(in: -10...10) } == -7)
                #expect(object.required("n") { $0.number() } == 1.5)
                #expect(object.required("b") { $0.bool() } == true)
                #expect(object.required("c") { $0.choice(of: Colour.self) } == .green)
                #expect(object.required("f") { $0.floats(expected: 3) } == [1, 2.5, -3])
                #expect(object.required("a") { $0.array(count: 1...2) { $0.string() } } == ["x", "y"])
                #expect(object.optional("none") { $0.string() } == nil)
                var inner: Int?
                object.required("o") { $0.object { inner = $0.required("k") { $0.integer(in: 0...1) } } }
                #expect(inner == 1)
            }
        }
    }

    @Test("what is read apart has problems of its own, with their places")
    func readsApart() throws {
        try read(#"{"items":[{"v":1},{"v":"x"},5]}"#) { reader in
            reader.readObject { object in
                let items = object.required("items") { items in
                    items.array(count: 3...3) { item in
                        item.apart { item -> Int? in
                            var number: Int?
                            item.object { number = $0.required("v") { $0.integer(in: 0...9) } }
                            return number
                        }
                    }
                }
                #expect(items?.map { try? $0.get() } == [1, nil, nil])
                let locations = items?.map { item -> [JSONPathComponent]? in
                    guard case .failure(let problems) = item else { return nil }
                    return problems.problems.first?.location
                }
                let items1: [JSONPathComponent] = [.key("body"), .key("items"), .index(1), .key("v")]
                #expect(locations == [nil, items1, [.key("body"), .key("items"), .index(2)]])
            }
        }
    }

    @Test("every problem is reported with its place")
    func locatesProblems() throws {
        let found = try problems(#"{"name":5,"items":[{"v":1},{"v":"x","extra":0}],"typo":1}"#) { reader in
            reader.readObject { object in
                _ = object.required("name") { $0.string() }
                _ = object.required("missing") { $0.string() }
                _ = object.required("items") { items in
                    items.array(count: 0...10) { item in
                        item.object { _ = $0.required("v") { $0.integer(in: 0...9) } }
                    }
                }
                object.note(.outOfRange, at: "name", "custom")
                object.note(.outOfRange, "whole")
            }
        }

        let body = JSONPathComponent.key("body")
        #expect(
            found == [
                JSONProblem(location: [body, .key("name")], message: "expected a string, got number", kind: .wrongType),
                JSONProblem(location: [body, .key("missing")], message: "is required", kind: .missing),
                JSONProblem(
                    location: [body, .key("items"), .index(1), .key("v")], message: "expected an integer, got string", kind: .wrongType),
                JSONProblem(
                    location: [body, .key("items"), .index(1), .key("extra")], message: "unknown field", kind: .unknownField),
                JSONProblem(location: [body, .key("name")], message: "custom", kind: .outOfRange),
                JSONProblem(location: [body], message: "whole", kind: .outOfRange),
                JSONProblem(location: [body, .key("typo")], message: "unknown field", kind: .unknownField),
            ])
    }

    @Test("nothing is coerced", arguments: [#""5""#, "true", "5.0", "5e0", "null", "[5]", "{}"])
    func noCoercions(value: String) throws {
        let found = try problems("[\(value)]") { reader in
            _ = reader.root.array(count: 0...1) { $0.integer(in: 0...9) }
        }
        #expect(found.map(\.kind) == [.wrongType])
        #expect(found.first?.location == [.key("body"), .index(0)])
    }

    @Test(
        "integers out of range name the range, beyond 64 bits too", arguments: ["-1", "10", "9223372036854775807", "18446744073709551615"])
    func integerRange(value: String) throws {
        let found = try problems("[\(value)]") { reader in
            _ = reader.root.array(count: 0...1) { $0.integer(in: 0...9) }
        }
        #expect(found.map(\.message) == ["must be between 0 and 9"])
    }

    @Test("lengths count Unicode scalars")
    func lengths() throws {
        try read(#"["👩‍👩‍👧"]"#) { reader in
            #expect(reader.root.array(count: 1...1) { $0.string(length: 5...5) }?.count == 1)
        }
        let found = try problems(#"["", "abc", "ab"]"#) { reader in
            _ = reader.root.array(count: 1...3) { $0.string(length: 1...2) }
        }
        #expect(found.map(\.message) == ["must have at least 1 character", "must have at most 2 characters, has 3"])
    }

    @Test("arrays have bounds")
    func arrayBounds() throws {
        #expect(try problems("[]") { _ = $0.root.array(count: 1...3) { $0.bool() } }.map(\.kind) == [.tooShort])
        #expect(
            try problems("[1,2]") { _ = $0.root.array(count: 0...1) { $0.bool() } }.map(\.message) == ["must have at most 1 element, has 2"]
        )
        #expect(try problems("[]") { _ = $0.root.array(count: 2...3) { $0.bool() } }.map(\.message) == ["must have at least 2 elements"])
    }

    @Test("an unknown value is answered with the known ones, quoted briefly")
    func unknownChoice() throws {
        let found = try problems(#"["\#(String(repeating: "x", count: 200))"]"#) {
            _ = $0.root.array(count: 1...1) { $0.choice(of: Colour.self) }
        }
        #expect(found.map(\.message) == ["unknown value '\(String(repeating: "x", count: 80))…'; known: 'red', 'green'"])
    }

    @Test("float arrays say which element is wrong")
    func floats() throws {
        let wrong = try problems(#"{"a":[1,2,"3"],"b":[0,1e39],"c":5,"d":[1,[2]]}"#) { reader in
            reader.readObject { object in
                #expect(object.required("a") { $0.floats(expected: 2) } == nil)
                #expect(object.required("b") { $0.floats(expected: 2) } == nil)
                #expect(object.required("c") { $0.floats(expected: 2) } == nil)
                #expect(object.required("d") { $0.floats(expected: 2) } == nil)
            }
        }
        #expect(wrong.map(\.kind) == [.wrongType, .notFinite, .wrongType, .wrongType])
        #expect(wrong[0].location.last == .index(2))
        #expect(wrong[1].location.last == .index(1))
        try read("[1e-400, -0.0, 1e-45, 3]") { #expect($0.root.floats(expected: 1) == [0, -0.0, .leastNonzeroMagnitude, 3]) }
        try read("[]") { #expect($0.root.floats(expected: 0) == []) }
    }

    @Test("no more than twenty problems are kept")
    func boundedProblems() throws {
        let text = "[" + Array(repeating: "1", count: 50).joined(separator: ",") + "]"
        #expect(try problems(text) { _ = $0.root.array(count: 0...50) { $0.bool() } }.count == 20)
    }

    @Test("types are told apart")
    func types() throws {
        try read(#"[null,true,1,1.5,"s",[],{}]"#) { reader in
            let types = reader.root.array(count: 7...7) { $0.type }
            #expect(types == [.null, .boolean, .number, .number, .string, .array, .object])
        }
        #expect(try problems("[]") { $0.root.object { _ in } }.map(\.message) == ["expected an object, got array"])
        #expect(try problems("[]") { $0.root.note(.outOfRange, "said") }.map(\.message) == ["said"])
    }
}

struct JSONDocumentTests {
    @Test(
        "text that is not one well-formed JSON value is refused",
        arguments: [
            "", " ", "{", "[1,]", "{\"a\":1}x", "{} {}", "nul", "NaN", "[Infinity]", "[1e400]", "01", "\"\\ud800\"", "\"\\x\"", "\"a\nb\"",
            "\"open",
            "\u{FEFF}{}", "tru", "falze", "{'a':1}", "[1 2]", String(repeating: "9", count: 400),
        ])
    func refuses(text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONDocument(parsing: Array(text.utf8)) }
    }

    @Test(
        "bytes that are not UTF-8 are refused",
        arguments: [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0xFF, 0xFE, 0x7B, 0x00]] as [[UInt8]])
    func refusesBytes(bytes: [UInt8]) {
        #expect(throws: JSONSyntaxError.self) { try JSONDocument(parsing: bytes) }
    }

    @Test("a repeated key is refused wherever it is, in small objects and large ones")
    func duplicateKeys() throws {
        let large = "{" + (0..<40).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
        for text in [#"{"a":1,"a":2}"#, #"[[{"x":{"b":1,"c":2,"b":3}}]]"#, large + ",\"k39\":0}", large + ",\"k3\":0}"] {
            #expect(throws: JSONSyntaxError(reason: "an object has the same key twice")) { try JSONDocument(parsing: Array(text.utf8)) }
        }
        _ = try JSONDocument(parsing: Array((large + "}").utf8))
    }

    @Test("nesting is bounded and a hundred thousand levels do no harm")
    func depth() throws {
        func nested(_ depth: Int) -> [UInt8] { Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8) }
        _ = try JSONDocument(parsing: nested(JSONDocument.maxDepth - 1))
        #expect(throws: JSONSyntaxError.self) { try JSONDocument(parsing: nested(JSONDocument.maxDepth + 1)) }
        #expect(throws: JSONSyntaxError.self) { try JSONDocument(parsing: nested(100_000)) }
    }

    @Test("members that are none of our business are ignored where we say so, at that level only")
    func openObjects() throws {
        let found = try problems(#"{"a":{"x":1,"more":2},"more":{}}"#) { reader in
            reader.root.object(unknownField: nil) { object in
                _ = object.optional("a") { $0.object { _ = $0.optional("x") { $0.integer(in: 0...9) } } }
            }
        }
        #expect(found.map(\.location) == [[.key("body"), .key("a"), .key("more")]])
    }

    @Test("a parser serves small documents again after a large one")
    func reuse() throws {
        for count in [10, 200_000, 10] {
            let text = "[" + Array(repeating: "1.5", count: count).joined(separator: ",") + "]"
            let reader = JSONReader(try JSONDocument(parsing: Array(text.utf8)))
            #expect(reader.root.floats(expected: count)?.count == count)
        }
    }
}
