import Configuration

/// The configuration file: YAML, but only a flat list of `name: value` lines, and lists of such lists under the keys that have them.
///
/// The values are read by swift-configuration, which looks up keys it is asked for and has no way to list those that nobody
/// asked for. So the lines are scanned here first: every line that holds anything must start a key in its first column. That finds
/// each key with its line, and refuses the shapes (nesting, lists, flow maps, continued lines) in which a key could hide. An entry of
/// a list is read as a file of its own, two columns further in.
struct SettingsFile: Sendable {
    let path: String
    /// Each key with the line that sets it, in the order of the file.
    let keys: [(name: String, line: Int)]
    /// The entries under each key of `listKeys` that is set.
    let lists: [String: [SettingsFile]]
    private let snapshot: YAMLSnapshot?

    static let largestSize = 1 << 20
    static let listKeys: Set = ["models"]
    static let largestList = 100

    init(path: String) throws(SettingsError) {
        try self.init(path: path, contents: readFile(path, atMost: Self.largestSize))
    }

    init(path: String, contents: [UInt8]) throws(SettingsError) {
        guard let text = String(validating: contents, as: UTF8.self) else {
            throw .malformedFile(path: path, line: nil, reason: "not UTF-8")
        }
        // A carriage return is part of its line's end.
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        try self.init(path: path, lines: lines.enumerated().map { (Substring($1), $0 + 1) }, listKeys: Self.listKeys)
    }

    private init(path: String, lines: [(text: Substring, number: Int)], listKeys: Set<String>) throws(SettingsError) {
        self.path = path
        var scan = Scan(path: path, listKeys: listKeys)
        for line in lines { try scan.read(line.text, line.number) }
        keys = scan.keys
        var lists: [String: [SettingsFile]] = [:]
        for (name, entries) in scan.lists {
            lists[name] = []
            for entry in entries { try lists[name]!.append(SettingsFile(path: path, lines: entry, listKeys: [])) }
        }
        self.lists = lists
        guard scan.flat.contains(where: { $0 != "---" }) else {
            snapshot = nil
            return
        }
        do {
            let flat = Array(scan.flat.joined(separator: "\n").utf8)
            snapshot = try YAMLSnapshot(data: flat.span.bytes, providerName: path, parsingOptions: .default)
        } catch {
            throw .malformedFile(path: path, line: nil, reason: "not readable as YAML: \(error)")
        }
    }

    /// The text of a key and where it stands; nil when the file does not set it.
    func text(of name: String) throws(SettingsError) -> (text: String, origin: SettingOrigin)? {
        guard let line = keys.first(where: { $0.name == name })?.line else { return nil }
        let found: String?
        do {
            found = try snapshot?.value(forKey: AbsoluteConfigKey([name]), type: .string).value?.content.text
        } catch {
            throw .malformedFile(path: path, line: line, reason: "\(name) is not a single value")
        }
        guard let found else { throw .malformedFile(path: path, line: line, reason: "\(name) is not a single value") }
        return (found, .file(path: path, line: line))
    }
}

/// The scan of the lines, one after another.
private struct Scan {
    let path: String
    let listKeys: Set<String>
    private(set) var keys: [(name: String, line: Int)] = []
    /// The lines of each entry without their indentation.
    private(set) var lists: [String: [[(text: Substring, number: Int)]]] = [:]
    /// The lines that are not of a list.
    private(set) var flat: [Substring] = []
    /// The key whose entries may follow.
    private var list: String?

    init(path: String, listKeys: Set<String>) {
        (self.path, self.listKeys) = (path, listKeys)
    }

    mutating func read(_ line: Substring, _ number: Int) throws(SettingsError) {
        if line.allSatisfy({ $0 == " " || $0 == "\t" }) || line.hasPrefix("#") { return }
        if line == "---" {
            flat.append(line)
            return
        }
        if let list, line.first == " " { return try readEntry(line, number, of: list) }
        let name = line.prefix { $0 != ":" }
        let rest = line.dropFirst(name.count + 1)
        let isKey = !name.isEmpty && name.count < line.count && name.utf8.allSatisfy(Self.isKeyByte)
        guard isKey, rest.isEmpty || rest.first == " " || rest.first == "\t" else {
            throw .malformedFile(path: path, line: number, reason: "expected `name: value` on one line, starting in the first column")
        }
        guard !keys.contains(where: { $0.name == name }) else {
            throw .malformedFile(path: path, line: number, reason: "\(name) is set twice")
        }
        keys.append((String(name), number))
        list = nil
        if listKeys.contains(String(name)) { try beginList(String(name), rest, number) } else { flat.append(line) }
    }

    private mutating func beginList(_ name: String, _ rest: Substring, _ number: Int) throws(SettingsError) {
        let value = rest.prefix { $0 != "#" }.filter { $0 != " " && $0 != "\t" }
        guard value.isEmpty || value == "[]" else {
            throw .malformedFile(path: path, line: number, reason: "\(name) is a list: [] or, on lines of their own, `  - name: value`")
        }
        lists[name] = []
        if value.isEmpty { list = name }
    }

    private mutating func readEntry(_ line: Substring, _ number: Int, of list: String) throws(SettingsError) {
        let content = line.dropFirst(4)
        if line.drop(while: { $0 == " " }).first == "#" { return }
        let isFirst = line.hasPrefix("  - ")
        guard isFirst || line.hasPrefix("    ") && !lists[list]!.isEmpty, content.first != " " else {
            throw .malformedFile(
                path: path, line: number, reason: "expected `  - name: value` or, further on in an entry, `    name: value`")
        }
        if isFirst { lists[list]!.append([]) }
        guard lists[list]!.count <= SettingsFile.largestList else {
            throw .malformedFile(path: path, line: number, reason: "\(list) has more than \(SettingsFile.largestList) entries")
        }
        lists[list]![lists[list]!.count - 1].append((content, number))
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension ConfigContent {
    /// The text of a scalar; nil for the lists that `string` lookups never give.
    fileprivate var text: String? {
        if case .string(let text) = self { text } else { nil }
    }
}
