import Configuration

/// The configuration file: YAML, but only a flat list of `name: value` lines.
///
/// The values are read by swift-configuration, which looks up keys it is asked for and has no way to list those that nobody
/// asked for. So the lines are scanned here first: every line that holds anything must start a key in its first column. That finds
/// each key with its line, and refuses the shapes (nesting, lists, flow maps, continued lines) in which a key could hide.
struct SettingsFile: Sendable {
    let path: String
    /// Each key with the line that sets it, in the order of the file.
    let keys: [(name: String, line: Int)]
    private let snapshot: YAMLSnapshot?

    static let largestSize = 1 << 20

    init(path: String) throws(SettingsError) {
        try self.init(path: path, contents: readFile(path, atMost: Self.largestSize))
    }

    init(path: String, contents: [UInt8]) throws(SettingsError) {
        self.path = path
        keys = try Self.scan(contents, path: path)
        guard !keys.isEmpty else {
            snapshot = nil
            return
        }
        do {
            snapshot = try YAMLSnapshot(data: contents.span.bytes, providerName: path, parsingOptions: .default)
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

    private static func scan(_ contents: [UInt8], path: String) throws(SettingsError) -> [(name: String, line: Int)] {
        guard let text = String(validating: contents, as: UTF8.self) else {
            throw .malformedFile(path: path, line: nil, reason: "not UTF-8")
        }
        var keys: [(name: String, line: Int)] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            if line.allSatisfy({ $0 == " " || $0 == "\t" }) || line.hasPrefix("#") || line == "---" { continue }
            let name = line.prefix { $0 != ":" }
            let rest = line.dropFirst(name.count + 1)
            let isKey = !name.isEmpty && name.count < line.count && name.utf8.allSatisfy(isKeyByte)
            guard isKey, rest.isEmpty || rest.first == " " || rest.first == "\t" else {
                throw .malformedFile(
                    path: path, line: index + 1, reason: "expected `name: value` on one line, starting in the first column")
            }
            guard !keys.contains(where: { $0.name == name }) else {
                throw .malformedFile(path: path, line: index + 1, reason: "\(name) is set twice")
            }
            keys.append((String(name), index + 1))
        }
        return keys
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
