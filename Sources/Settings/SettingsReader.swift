import Configuration

/// One setting as it was declared and read: what `quire config show` prints and the shipped file is held to.
package struct SettingDeclaration: Sendable, Equatable {
    /// The key in the file; in upper case, the name of the environment variable.
    package let name: String
    package let section: SettingSection
    package let defaultText: String
    package let unit: String?
    package let accepted: String
    package let summary: String
    /// The text that was read, before anything was derived from it: `auto` stays `auto` here.
    package let text: String
    /// The value in force.
    package let value: String
    package let origin: SettingOrigin
}

/// Settings that belong together, under one heading.
package struct SettingSection: Sendable, Equatable {
    package let title: String
    /// What is true of all of them.
    package let note: String
}

/// Reads settings one after another from the environment, then the file, then the default, and remembers every declaration.
///
/// A call of `value` is the one place that knows a setting: its name, default, unit, what is accepted and what it is for. The
/// default goes through the same parser as any other text.
struct SettingsReader {
    let machine: Machine
    private let environment: EnvironmentVariablesProvider
    let file: SettingsFile?
    /// What is declared belongs to it.
    var section = SettingSection(title: "", note: "")
    private(set) var declarations: [SettingDeclaration] = []

    init(environment: [String: String], file: SettingsFile?, machine: Machine) {
        self.environment = EnvironmentVariablesProvider(environmentVariables: environment)
        self.file = file
        self.machine = machine
    }

    mutating func value<Value>(
        _ name: String, default defaultText: String, unit: String? = nil, accepted: String, _ summary: String,
        print: (Value) -> String = { "\($0)" }, parse: (String) -> Value?
    ) throws(SettingsError) -> Value {
        let (text, origin) = try find(name) ?? (defaultText, .builtIn)
        guard let value = parse(text) else {
            throw .refused(name: name.uppercased(), value: text, origin: origin, accepted: accepted)
        }
        declarations.append(
            SettingDeclaration(
                name: name, section: section, defaultText: defaultText, unit: unit, accepted: accepted, summary: summary, text: text,
                value: print(value), origin: origin))
        return value
    }

    mutating func integer(
        _ name: String, default defaultValue: Int, in range: ClosedRange<Int>, unit: String, _ summary: String
    ) throws(SettingsError) -> Int {
        try value(name, default: "\(defaultValue)", unit: unit, accepted: describe(range), summary) { text in
            decimal(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// An integer that is worked out unless it is given.
    mutating func integer(
        _ name: String, automatic: Int, in range: ClosedRange<Int>, unit: String, _ summary: String
    ) throws(SettingsError) -> Int {
        try value(name, default: "auto", unit: unit, accepted: "auto, or \(describe(range))", summary) { text in
            text == "auto" ? automatic : decimal(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// An integer that may stay open (`auto`).
    mutating func optionalInteger(
        _ name: String, in range: ClosedRange<Int>, unit: String, _ summary: String
    ) throws(SettingsError) -> Int? {
        try value(
            name, default: "auto", unit: unit, accepted: "auto, or \(describe(range))", summary, print: { $0.map { "\($0)" } ?? "auto" }
        ) { (text) -> Int?? in
            text == "auto" ? .some(nil) : decimal(text).flatMap { range.contains($0) ? .some($0) : nil }
        }
    }

    /// One of the names of an enumeration, in any case: `INFO` is what the service before this one was given.
    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, default defaultValue: Choice, _ summary: String
    ) throws(SettingsError) -> Choice {
        let accepted = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        return try value(name, default: defaultValue.rawValue, accepted: accepted, summary, print: \.rawValue) { text in
            Choice(rawValue: text.lowercased())
        }
    }

    mutating func flag(_ name: String, default defaultValue: Bool, _ summary: String) throws(SettingsError) -> Bool {
        try value(name, default: "\(defaultValue)", accepted: "true or false", summary) { flagValue($0) }
    }

    /// A flag that is worked out unless it is given.
    mutating func flag(_ name: String, automatic: Bool, _ summary: String) throws(SettingsError) -> Bool {
        try value(name, default: "auto", accepted: "auto, true or false", summary) { $0 == "auto" ? automatic : flagValue($0) }
    }

    /// Values in one line, separated by commas; `none` for an empty list. Each must be there once.
    mutating func list<Element: Equatable & CustomStringConvertible>(
        _ name: String, default defaultText: String = "none", accepted: String, _ summary: String, parse: (String) -> Element?
    ) throws(SettingsError) -> [Element] {
        let print = { (elements: [Element]) in elements.isEmpty ? "none" : elements.map(\.description).joined(separator: ", ") }
        return try value(name, default: defaultText, accepted: accepted, summary, print: print) { text in
            text == "none" ? [] : listValue(text, parse)
        }
    }

    /// Notes a setting that is not one value.
    mutating func declare(_ declaration: SettingDeclaration) { declarations.append(declaration) }

    /// Refuses the first key of the file that no declaration asked for.
    func refuseUnknownKeys() throws(SettingsError) {
        guard let file else { return }
        for (name, line) in file.keys where !declarations.contains(where: { $0.name == name }) {
            throw .unknownKey(name, origin: .file(path: file.path, line: line))
        }
    }

    /// A contradiction: `name` was readable by itself, but not beside another setting.
    func refusal(_ name: String, accepted: String) -> SettingsError {
        guard let read = declarations.first(where: { $0.name == name }) else { preconditionFailure("\(name) was not declared") }
        return .refused(name: name.uppercased(), value: read.value, origin: read.origin, accepted: accepted)
    }

    /// A variable that is not a setting but that defaults depend on, such as `HOME`; empty counts as unset.
    func ambient(_ name: String) -> String? {
        environmentText(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    private func find(_ name: String) throws(SettingsError) -> (text: String, origin: SettingOrigin)? {
        if let text = environmentText(name.uppercased()) { return (text, .environment) }
        return try file?.text(of: name)
    }

    private func environmentText(_ name: String) -> String? {
        // A dictionary lookup that is declared as throwing for providers that do more.
        do { return try environment.environmentValue(forName: name) } catch { preconditionFailure("the environment cannot fail: \(error)") }
    }

    private func describe(_ range: ClosedRange<Int>) -> String { "a whole number from \(range.lowerBound) to \(range.upperBound)" }
}

/// At most 100 elements, none of them twice; nil when one cannot be read.
private func listValue<Element: Equatable>(_ text: String, _ parse: (String) -> Element?) -> [Element]? {
    var elements: [Element] = []
    for (index, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
        guard let element = parse(String(index == 0 ? part : part.drop { $0 == " " })), !elements.contains(element), index < 100
        else { return nil }
        elements.append(element)
    }
    return elements
}

/// The words that mean yes and no in environment variables; nil for any other.
func flagValue(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "1", "yes", "on": true
    case "false", "0", "no", "off": false
    default: nil
    }
}
