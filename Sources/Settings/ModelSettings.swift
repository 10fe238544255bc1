/// A model of a provider on the network that the configuration file adds to the catalogue: one entry of `models`.
package struct ModelSettings: Sendable, Equatable {
    package enum Provider: String, Sendable, CaseIterable {
        case cohere, openai, ollama
    }

    /// The name that libraries give.
    package var name: String
    package var provider: Provider
    /// The name that the provider knows it by.
    package var model: String
    package var dimension: Int
    package var maxTokens: Int
    /// `nil`: the provider's own. Else without a slash at its end.
    package var baseURL: String?
    /// The environment variable with the key; `nil`: the provider's own at its own address, and none elsewhere.
    package var keyVariable: String?
    /// Whether requests name the dimension.
    package var requestsDimension: Bool
    package var queryPrefix: String
    package var documentPrefix: String
    /// Where it stands, for what the catalogue has against it.
    package var origin: SettingOrigin

    /// In the form of the file.
    fileprivate var text: String {
        var lines = [
            "  - name: \(name)", "    provider: \(provider.rawValue)", "    model: \(quoted(model))", "    dimension: \(dimension)",
            "    max_tokens: \(maxTokens)",
        ]
        if let baseURL { lines.append("    base_url: \(baseURL)") }
        if let keyVariable { lines.append("    api_key_env: \(keyVariable)") }
        if requestsDimension { lines.append("    request_dimension: true") }
        if !queryPrefix.isEmpty { lines.append("    query_prefix: \(quoted(queryPrefix))") }
        if !documentPrefix.isEmpty { lines.append("    document_prefix: \(quoted(documentPrefix))") }
        return lines.joined(separator: "\n")
    }
}

extension SettingsReader {
    /// The models of the file. There is no environment variable for a list.
    mutating func models(_ name: String, _ summary: String) throws(SettingsError) -> [ModelSettings] {
        var models: [ModelSettings] = []
        for (index, entry) in (file?.lists[name] ?? []).enumerated() {
            let model = try ModelSettings(ModelEntry(file: entry, name: "\(name)[\(index)]"))
            guard !models.contains(where: { $0.name == model.name }) else {
                throw .refused(
                    name: "\(name)[\(index)].name", value: model.name, origin: model.origin, accepted: "a name that no other entry has")
            }
            models.append(model)
        }
        let value = models.isEmpty ? "[]" : "\n" + models.map(\.text).joined(separator: "\n")
        let key = file?.keys.first { $0.name == name }
        declare(
            SettingDeclaration(
                name: name, section: section, defaultText: "[]", unit: nil, accepted: "[], or entries as Config/quire.yaml shows",
                summary: summary,
                text: value, value: value, origin: key.flatMap { key in file.map { .file(path: $0.path, line: key.line) } } ?? .builtIn))
        return models
    }

    /// Checks a variable with a key without showing or keeping it; empty counts as unset.
    func checkSecret(_ name: String) throws(SettingsError) {
        guard let secret = ambient(name), !secret.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return }
        throw .refusedSecret(name: name)
    }
}

/// One entry of a list while it is read: a small file of its own.
private struct ModelEntry {
    let file: SettingsFile
    /// `models[0]`
    let name: String

    func optional<Value>(_ key: String, accepted: String, _ parse: (String) -> Value?) throws(SettingsError) -> Value? {
        guard let (text, origin) = try file.text(of: key) else { return nil }
        guard let value = parse(text) else { throw .refused(name: "\(name).\(key)", value: text, origin: origin, accepted: accepted) }
        return value
    }

    func required<Value>(_ key: String, accepted: String, _ parse: (String) -> Value?) throws(SettingsError) -> Value {
        if let value = try optional(key, accepted: accepted, parse) { return value }
        throw .missing(name: "\(name).\(key)", origin: origin, accepted: accepted)
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(SettingsError) -> Int? {
        try optional(key, accepted: Self.description(of: range)) { decimal($0).flatMap { range.contains($0) ? $0 : nil } }
    }

    var origin: SettingOrigin { .file(path: file.path, line: file.keys.first?.line ?? 1) }

    func refusal(_ key: String, value: String, accepted: String) -> SettingsError {
        let line = file.keys.first { $0.name == key }?.line ?? 1
        return .refused(name: "\(name).\(key)", value: value, origin: .file(path: file.path, line: line), accepted: accepted)
    }

    func refuseUnknownKeys(_ known: Set<String>) throws(SettingsError) {
        for key in file.keys where !known.contains(key.name) {
            throw .unknownKey("\(name).\(key.name)", origin: .file(path: file.path, line: key.line))
        }
    }

    static func description(of range: ClosedRange<Int>) -> String { "a whole number from \(range.lowerBound) to \(range.upperBound)" }
}

extension ModelSettings {
    private static let keys: Set = [
        "name", "provider", "model", "dimension", "max_tokens", "base_url", "api_key_env", "request_dimension", "query_prefix",
        "document_prefix",
    ]
    private static let dimensions = 1...8192
    private static let nameForm = "a name for it here: at most 64 letters, digits and . _ -"

    fileprivate init(_ entry: ModelEntry) throws(SettingsError) {
        try entry.refuseUnknownKeys(Self.keys)
        origin = entry.origin
        name = try entry.required("name", accepted: Self.nameForm, modelName)
        let providers = Provider.allCases.map(\.rawValue).joined(separator: ", ")
        provider = try entry.required("provider", accepted: providers) { Provider(rawValue: $0) }
        model = try entry.optional("model", accepted: "the provider's name for it, at most 200 characters", plainText) ?? name
        guard let dimension = try entry.integer("dimension", in: Self.dimensions) else {
            throw .missing(name: "\(entry.name).dimension", origin: origin, accepted: ModelEntry.description(of: Self.dimensions))
        }
        self.dimension = dimension
        maxTokens = try entry.integer("max_tokens", in: 1...1_000_000) ?? 512
        baseURL = try entry.optional(
            "base_url", accepted: "an address that starts with http:// or https://, without user name, ? and #", webAddress)
        keyVariable = try entry.optional(
            "api_key_env", accepted: "the name of an environment variable: at most 64 of A-Z, 0-9 and _", variableName)
        requestsDimension = try entry.optional("request_dimension", accepted: "true or false", flagValue) ?? false
        queryPrefix = try entry.optional("query_prefix", accepted: "at most 1000 characters", prefixText) ?? ""
        documentPrefix = try entry.optional("document_prefix", accepted: "at most 1000 characters", prefixText) ?? ""
        try refuseContradictions(entry)
    }

    private func refuseContradictions(_ entry: ModelEntry) throws(SettingsError) {
        for (key, prefix) in [("query_prefix", queryPrefix), ("document_prefix", documentPrefix)] where provider == .cohere {
            guard prefix.isEmpty else {
                throw entry.refusal(key, value: prefix, accepted: "unset: cohere is told what a text is for in a field of its own")
            }
        }
        if provider == .ollama, requestsDimension {
            throw entry.refusal("request_dimension", value: "true", accepted: "false, or unset: ollama's models have one dimension")
        }
    }
}

/// http or https, a host, perhaps a port and a path; without slashes at its end.
private func webAddress(_ text: String) -> String? {
    guard let scheme = ["http://", "https://"].first(where: text.hasPrefix), text.utf8.count <= 2000 else { return nil }
    let address = withoutTrailingSlashes(text)
    let rest = address.dropFirst(scheme.count)
    let host = rest.prefix { $0 != "/" }
    let isPlain = rest.utf8.allSatisfy { byte in
        let scalar = Unicode.Scalar(byte)
        return scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
            || [".", "-", "_", "~", ":", "/", "[", "]", "%", "+"].contains(scalar)
    }
    guard address.count > scheme.count, isPlain, let first = host.first, first != ":" else { return nil }
    return String(address)
}

private func variableName(_ text: String) -> String? {
    let isName = text.utf8.allSatisfy { byte in
        let scalar = Unicode.Scalar(byte)
        return ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar) || scalar == "_"
    }
    return isName && (1...64).contains(text.utf8.count) && !("0"..."9").contains(text.unicodeScalars.first!) ? text : nil
}

private func plainText(_ text: String) -> String? {
    let isPlain = !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
    return isPlain && (1...200).contains(text.unicodeScalars.count) ? text : nil
}

private func prefixText(_ text: String) -> String? { text.unicodeScalars.count <= 1000 ? text : nil }

/// A value in double quotes, as YAML reads it.
private func quoted(_ text: String) -> String {
    "\"" + text.unicodeScalars.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : $0.escaped(asASCII: false) }.joined() + "\""
}
