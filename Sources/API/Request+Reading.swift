import Database
import HTTP
import HTTPTypes
import JSON
import Storage

extension Request {
    /// Parses the body, which is JSON whether or not the client says so, but not if it says something else.
    func jsonReader() throws -> JSONReader {
        if let type = headers[.contentType], !type.isMediaType("application/json") {
            throw APIError(.unsupportedMediaType, "The body must be application/json in UTF-8")
        }
        return JSONReader(try JSONDocument(parsing: body))
    }

    /// Reads the query string; parameters that nobody asked for are problems, like unknown fields of a body.
    func readQuery<Result>(_ read: (inout QueryReader) throws -> Result) throws -> Result {
        guard let query = Query(query) else {
            throw APIError(.invalidRequest, "The query string is not percent-encoded UTF-8")
        }
        var reader = QueryReader(query)
        let result = try read(&reader)
        try reader.finish()
        return result
    }

    /// The version of an object that `If-Match` insists on: the current one, or `nil` if any will do (RFC 9110, section 13.1.1).
    /// The change itself checks it once more, because others write meanwhile.
    ///
    /// - Throws: 412 if the current version is not among those named. A weak tag never matches here.
    func expectedSequence(current: SequenceNumber) throws -> SequenceNumber? {
        guard let tags = entityTags(.ifMatch), tags != ["*"] else { return nil }
        guard tags.contains(current.entityTag) else { throw DatabaseError.changedSince(current) }
        return current
    }

    /// Whether the client holds this version already (RFC 9110, section 13.1.2).
    func hasCurrent(_ sequence: SequenceNumber) -> Bool {
        guard let tags = entityTags(.ifNoneMatch) else { return false }
        return tags == ["*"] || tags.contains(sequence.entityTag) || tags.contains("W/" + sequence.entityTag)
    }

    /// The tags of a list. Ours are numbers in quotes, so a comma within a tag can only be in one that we never gave out.
    private func entityTags(_ name: HTTPField.Name) -> [String]? {
        headers[name].map { $0.split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } } }
    }
}

extension String {
    /// Whether this value of `Content-Type` says that media type, in UTF-8 if it says anything of characters.
    func isMediaType(_ type: String) -> Bool {
        let parts = lowercased().split(separator: ";").map { $0.filter { !$0.isWhitespace } }
        guard parts.first == type else { return false }
        return parts.dropFirst().allSatisfy { !$0.hasPrefix("charset=") || ["utf-8", "\"utf-8\""].contains($0.dropFirst(8)) }
    }
}

extension PathParameters {
    /// - Throws: 422 if the segment is not a UUID.
    func identifier<Object>(_ name: String, of _: Object.Type = Object.self) throws -> Identifier<Object> {
        guard let id = Identifier<Object>(self[name]) else {
            throw APIError([JSONProblem(location: [.key("path"), .key(name)], message: "must be a UUID", kind: .invalidID)])
        }
        return id
    }
}

/// Reads the parameters of a query string and collects every problem with its location.
struct QueryReader {
    private let query: Query
    private var used: Set<String> = []
    private var problems: [JSONProblem] = []

    init(_ query: Query) {
        self.query = query
    }

    mutating func string(_ name: String) -> String? { value(name) }

    mutating func bool(_ name: String) -> Bool {
        switch value(name) {
        case nil, "false", "0": return false
        case "true", "1": return true
        default:
            note(name, .wrongType, "must be true or false")
            return false
        }
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int>, default: Int) -> Int {
        guard let text = value(name) else { return `default` }
        guard let number = Int(text), range.contains(number) else {
            note(name, .outOfRange, "must be an integer between \(range.lowerBound) and \(range.upperBound)")
            return `default`
        }
        return number
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(_ name: String, default: Choice) -> Choice
    where Choice.RawValue == String {
        guard let text = value(name) else { return `default` }
        if let choice = Choice(rawValue: text) { return choice }
        note(name, .unknownValue, "unknown value; known: \(Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", "))")
        return `default`
    }

    /// Where a list goes on: what the `Link` header of the page before said.
    mutating func cursor() -> SequenceNumber? {
        guard let text = value("cursor") else { return nil }
        guard let number = UInt64(text) else {
            note("cursor", .unknownValue, "must be taken from the Link header of the page before")
            return nil
        }
        return SequenceNumber(rawValue: number)
    }

    mutating func chunkCursor() -> ChunkCursor? {
        guard let text = value("cursor") else { return nil }
        if let cursor = ChunkCursor(text) { return cursor }
        note("cursor", .unknownValue, "must be taken from the Link header of the page before")
        return nil
    }

    fileprivate mutating func finish() throws {
        for parameter in query.parameters where !used.contains(parameter.name) {
            note(JSONReader.shortened(parameter.name), .unknownField, "unknown parameter")
        }
        if !problems.isEmpty { throw JSONProblems(Array(problems.prefix(JSONReader.maxProblems))) }
    }

    private mutating func value(_ name: String) -> String? {
        used.insert(name)
        let values = query.parameters.filter { $0.name == name }
        if values.count > 1 { note(name, .unknownValue, "is given more than once") }
        return values.first?.value
    }

    private mutating func note(_ name: String, _ kind: JSONProblem.Kind, _ message: String) {
        problems.append(JSONProblem(location: [.key("query"), .key(name)], message: message, kind: kind))
    }
}
