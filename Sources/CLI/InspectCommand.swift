import ArgumentParser
import Database
import Glibc
import JSON
import Settings
import Storage

/// `quire inspect`: what the files of a data directory hold.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show the records of the log and the sections of snapshots, damage in its place.",
        discussion: """
            Changes nothing and takes no lock; beside a running server the last record may be seen half written. A line is an offset, a \
            number of bytes, and what stands there.
            """)

    @OptionGroup var config: ConfigFileOption

    @Argument(help: "The data directory, or one of its files. Default: the data directory of the settings.")
    var path: String?

    @Option(help: "The first record to show; snapshots are left out.")
    var from: UInt64?

    @Option(help: "The last record to show; snapshots are left out.")
    var through: UInt64?

    @Flag(help: "Show the log only.")
    var records = false

    @Option(help: "How many lines to show of each file at most; 0: all.")
    var limit = 20

    @Flag(help: "One JSON object a line.")
    var json = false

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit is a number of lines, or 0 for all") }
    }

    func run() throws {
        let path = try path ?? Settings.load(file: config.path).dataDirectory
        let (directory, names) = try files(at: path)
        let inspection = Inspection(directory: directory)
        for name in try names ?? inspection.files() where LogFiles.isSegment(name) || !isAboutRecords {
            try show(name, inspection)
        }
    }

    private var isAboutRecords: Bool { records || from != nil || through != nil }

    /// The directory and, if `path` is a file, the name of that.
    private func files(at path: String) throws -> (directory: String, names: [String]?) {
        do {
            _ = try LocalFileSystem().list(path)
            return (path, nil)
        } catch StorageError.ioFailed(_, _, ENOTDIR) {
            guard let slash = path.lastIndex(of: "/") else { return (".", [path]) }
            return (slash == path.startIndex ? "/" : String(path[..<slash]), [String(path[path.index(after: slash)...])])
        }
    }

    private func show(_ name: String, _ inspection: Inspection) throws {
        var lines = 0
        var isCut = false
        try inspection.run(name) { item in
            if let through, let sequence = item.sequence, sequence.rawValue > through, item.kind != .file { return false }
            guard isWanted(item) else { return true }
            guard limit == 0 || lines <= limit else {
                isCut = true
                return false
            }
            lines += 1
            standardOutput.write(json ? jsonLine(item) : line(item))
            return true
        }
        if isCut, !json { standardOutput.write("\(indented("…")) more; --limit 0 shows all\n") }
    }

    /// Damage is always shown: who knows which records it was.
    private func isWanted(_ item: Inspection.Item) -> Bool {
        guard isAboutRecords, item.kind == .record || item.kind == .seal || item.kind == .unused else { return true }
        guard let sequence = item.sequence else { return from == nil && through == nil }
        return sequence.rawValue >= from ?? 0 && sequence.rawValue <= through ?? .max
    }

    private func line(_ item: Inspection.Item) -> String {
        let sequence = item.sequence.map { " \($0)" } ?? ""
        let text = item.text.isEmpty ? "" : ": " + shown(item.text)
        guard item.kind != .file else { return "\(shown(item.file)), \(item.bytes) bytes, \(item.type)\(sequence)\(text)\n" }
        let kind =
            switch item.kind {
            case .record: "record\(sequence) "
            case .damage: "DAMAGED\(sequence) "
            case .file, .seal, .section, .unused: ""
            }
        return "\(indented("\(item.offset)")) \(indented("\(item.bytes)")) \(kind)\(item.type)\(text)\n"
    }

    private func indented(_ number: String) -> String { String(repeating: " ", count: max(0, 11 - number.count)) + number }

    private func jsonLine(_ item: Inspection.Item) -> String {
        var json = JSONWriter()
        json.object { json in
            json.member("file", item.file)
            json.member("kind", item.kind.rawValue)
            json.member("offset", Int(item.offset))
            json.member("bytes", Int(item.bytes))
            if let sequence = item.sequence { json.member("sequence", Int(clamping: sequence.rawValue)) }
            json.member("type", item.type)
            json.member("text", item.text)
        }
        return String(decoding: json.finish(), as: UTF8.self) + "\n"
    }
}
