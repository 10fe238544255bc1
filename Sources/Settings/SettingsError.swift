/// Why the settings stop the start. `description` is one line, fit to be the only thing an operator reads.
package enum SettingsError: Error, Equatable {
    /// A value that cannot be read, is out of range, or contradicts another setting.
    case refused(name: String, value: String, origin: SettingOrigin, accepted: String)
    /// A value that must be there and is not.
    case missing(name: String, origin: SettingOrigin, accepted: String)
    /// A variable with a secret that cannot be one. It is not shown.
    case refusedSecret(name: String)
    /// A key of the configuration file that no setting of this version has.
    case unknownKey(String, origin: SettingOrigin)
    /// The configuration file could not be read at all.
    case unreadableFile(path: String, reason: String)
    /// The configuration file is not a flat list of `name: value` lines.
    case malformedFile(path: String, line: Int?, reason: String)
    /// The run directory is missing, cannot be made, or belongs to somebody else.
    case runDirectory(path: String, reason: String)
    /// nginx's configuration could not be written, or nginx itself refused it.
    case nginx(reason: String)

    /// What a process that meets this error exits with: EX_CONFIG of sysexits.h.
    package static let exitCode: Int32 = 78
}

/// Where the text of a setting came from.
package enum SettingOrigin: Sendable, Equatable, CustomStringConvertible {
    case environment
    case file(path: String, line: Int)
    case builtIn

    package var description: String {
        switch self {
        case .environment: "from the environment"
        case .file(let path, let line): "from \(oneLine(path)) line \(line)"
        case .builtIn: "the default"
        }
    }
}

extension SettingsError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .refused(let name, let value, let origin, let accepted):
            "\(name): \"\(oneLine(value))\" (\(origin)) is refused; accepted: \(accepted)"
        case .missing(let name, let origin, let accepted):
            "\(name) (\(origin)) is missing; accepted: \(accepted)"
        case .refusedSecret(let name):
            "\(name) (from the environment, not shown) is refused; accepted: visible ASCII characters without spaces, or unset"
        case .unknownKey(let key, let origin):
            "\(oneLine(key)) (\(origin)) is not a setting of this version; `quire config show` lists them"
        case .unreadableFile(let path, let reason):
            "cannot read the configuration file \(oneLine(path)): \(oneLine(reason))"
        case .malformedFile(let path, let line, let reason):
            "\(oneLine(path))\(line.map { " line \($0)" } ?? ""): \(oneLine(reason, limit: 200))"
        case .runDirectory(let path, let reason):
            "run directory \(oneLine(path, limit: 200)): \(oneLine(reason, limit: 200))"
        case .nginx(let reason):
            "nginx configuration: \(oneLine(reason, limit: 400))"
        }
    }
}

/// `text` on one line and cut to `limit` characters: whatever would break a line or steer a terminal is escaped.
package func oneLine(_ text: String, limit: Int = 80) -> String {
    var line = ""
    for (count, scalar) in text.unicodeScalars.enumerated() {
        if count == limit { return line + "…" }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: line += scalar.escaped(asASCII: true)
        default: line.unicodeScalars.append(scalar)
        }
    }
    return line
}
