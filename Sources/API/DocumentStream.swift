import Database
import HTTP
import JSON
import Settings

/// Adds the documents of a body line by line, and writes a line on each. In memory are some lines at a time, however many there are.
///
/// Nothing is sent before all is read: a server that answers while the client is still sending, to a client that reads only when
/// everything is sent, waits for ever.
struct DocumentStream {
    static let mediaType = "application/x-ndjson"

    /// Lines are embedded and written together until there are so many of them, or so many bytes. More would not be faster, and whoever
    /// else waits for the model would wait longer.
    private static let groupLines = 128
    private static let groupBytes = 512 << 10

    private let service: Service
    private let rules: DocumentRules
    private let onConflict: ConflictPolicy
    private let results: SpooledBody
    private var group: [(line: Int, document: Result<NewDocument, APIError>)] = []
    private var groupSize = 0

    init(_ service: Service, _ rules: DocumentRules, _ onConflict: ConflictPolicy, results: SpooledBody) {
        self.service = service
        self.rules = rules
        self.onConflict = onConflict
        self.results = results
    }

    /// Reads the body to its end. If it breaks off, what was read of it until then is added, and the last line says so.
    ///
    /// - Throws: 503 and 507, if no line could be added any more or its result not be kept. What was added remains.
    mutating func read(_ body: any IncomingBody) throws {
        var reader = LineReader(body, maxLineBytes: rules.settings.maxLineBytes)
        var last = 0
        while true {
            let next: LineReader.Line?
            do {
                next = try reader.next()
            } catch {
                try addGroup()
                return try write(.failure(APIError(error)), line: last + 1)
            }
            guard let line = next else { return try addGroup() }
            last = line.number
            take(line)
            if group.count >= Self.groupLines || groupSize >= Self.groupBytes { try addGroup() }
        }
    }

    private mutating func take(_ line: LineReader.Line) {
        switch line.content {
        case .tooLong:
            let limit = rules.settings.maxLineBytes
            group.append((line.number, .failure(APIError(.payloadTooLarge, "The line is longer than MAX_LINE_BYTES = \(limit)"))))
        case .bytes(let bytes):
            groupSize += bytes.count
            group.append((line.number, Result { try parse(bytes) }.mapError(APIError.init)))
        }
    }

    private func parse(_ line: [UInt8]) throws -> NewDocument {
        try NewDocument.read(JSONReader(JSONDocument(parsing: line)), .any, rules)
    }

    /// Adds what was read, and writes what became of it.
    private mutating func addGroup() throws {
        let added = try service.put(group.map(\.document), in: rules.library, onConflict: onConflict)
        for (line, result) in zip(group.map(\.line), added) { try write(result, line: line) }
        group.removeAll(keepingCapacity: true)
        groupSize = 0
    }

    private func write(_ result: Result<AddedDocument, APIError>, line: Int) throws {
        var json = JSONWriter(capacity: 128)
        json.object { json in
            json.member("line", line)
            json.writeMembers(of: result)
        }
        try results.append(json.finish() + [UInt8(ascii: "\n")])
    }
}
