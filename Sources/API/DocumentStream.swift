import Database
import HTTP
import JSON
import Locks
import Settings

/// Adds the documents of a body line by line, and writes a line on each. In memory are some lines at a time, however many there are.
///
/// One thread reads, another adds what has been read meanwhile: many lines together while they come fast, and one that comes alone at
/// once, whenever the next one may come.
///
/// Nothing is sent before all is read: a server that answers while the client is still sending, to a client that reads only when
/// everything is sent, waits for ever.
struct DocumentStream {
    static let mediaType = "application/x-ndjson"

    private let service: Service
    private let rules: DocumentRules
    private let onConflict: ConflictPolicy
    private let results: SpooledBody

    init(_ service: Service, _ rules: DocumentRules, _ onConflict: ConflictPolicy, results: SpooledBody) {
        self.service = service
        self.rules = rules
        self.onConflict = onConflict
        self.results = results
    }

    /// Reads the body to its end. If it breaks off, what was read of it until then is added, and the last line says so.
    ///
    /// - Throws: 503 and 507, if no line could be added any more or its result not be kept. What was added remains.
    func read(_ body: any IncomingBody) throws {
        let lines = LineQueue()
        let adder: Thread
        do {
            adder = try Thread("quire-stream") {
                do {
                    while let group = lines.takeAll() { try add(group) }
                } catch {
                    lines.fail(error)
                }
            }
        } catch {
            throw APIError(.unavailable, "The server has no room for another thread")
        }
        read(body, into: lines)
        lines.end()
        adder.join()
        try lines.checkFailure()
    }

    private func read(_ body: any IncomingBody, into lines: LineQueue) {
        var reader = LineReader(body, maxLineBytes: rules.settings.maxLineBytes)
        var number = 0
        do {
            while let line = try reader.next() {
                number = line.number
                // Why they are taken no more is known to the thread that took them.
                guard lines.put(read(line)) else { return }
            }
        } catch {
            _ = lines.put(StreamedLine(number: number + 1, sizeInBytes: 0, document: .failure(APIError(error))))
        }
    }

    private func read(_ line: LineReader.Line) -> StreamedLine {
        switch line.content {
        case .tooLong:
            let error = APIError(.payloadTooLarge, "The line is longer than MAX_LINE_BYTES = \(rules.settings.maxLineBytes)")
            return StreamedLine(number: line.number, sizeInBytes: 0, document: .failure(error))
        case .bytes(let bytes):
            let document = Result { try parse(bytes) }.mapError(APIError.init)
            return StreamedLine(number: line.number, sizeInBytes: bytes.count, document: document)
        }
    }

    private func parse(_ line: [UInt8]) throws -> NewDocument {
        try NewDocument.read(JSONReader(JSONDocument(parsing: line)), .any, rules)
    }

    /// Adds what was read, and writes what became of it.
    private func add(_ lines: [StreamedLine]) throws {
        let added = try service.put(lines.map(\.document), in: rules.library, onConflict: onConflict, service.patiently)
        for (line, result) in zip(lines, added) { try write(result, line: line.number) }
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
