extension SettingsReader {
    /// A directory or file of the operator's choice: absolute, or under the home directory with `~/`. It never reaches another program's
    /// text.
    mutating func path(_ name: String, automatic: String?, _ summary: String) throws(SettingsError) -> String {
        let home = home
        return try value(name, default: "auto", accepted: "auto, or a path that starts with / or ~/", summary) { text in
            if text == "auto" { return automatic.flatMap(plainPath) }
            if text.hasPrefix("~/") { return home.flatMap { plainPath($0 + text.dropFirst()) } }
            return plainPath(text)
        }
    }

    /// A directory whose path nginx is given as text and which holds a unix socket: few characters, and short.
    mutating func socketDirectory(
        _ name: String, automatic: String, socket: String, _ summary: String
    ) throws(SettingsError) -> String {
        // sockaddr_un holds 108 bytes with the closing NUL.
        let longest = 107 - 1 - socket.utf8.count
        let accepted =
            "auto, or a path that starts with /, of at most \(longest) letters, digits and . _ - /, without the parts . and .."
        return try value(name, default: "auto", accepted: accepted, summary) { text in
            strictPath(text == "auto" ? automatic : text, longest: longest)
        }
    }

    /// A file whose path nginx is given as text; nil for `none`.
    mutating func nginxFile(_ name: String, _ summary: String) throws(SettingsError) -> String? {
        let accepted = "none, or a path that starts with /, of letters, digits and . _ - /, without the parts . and .."
        return try value(name, default: "none", accepted: accepted, summary, print: { $0 ?? "none" }) { text -> String?? in
            text == "none" ? .some(nil) : strictPath(text, longest: 1024).map { .some($0) }
        }
    }

    /// `HOME`, else the account's home directory, without a slash at its end.
    var home: String? { (ambient("HOME") ?? machine.home).map { String(withoutTrailingSlashes($0)) } }
}

/// An absolute path without control characters and without slashes at its end; nil for anything else.
private func plainPath(_ text: String) -> String? {
    guard text.hasPrefix("/"), text.utf8.count < 4096, !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
    else { return nil }
    let path = withoutTrailingSlashes(text)
    return path.isEmpty ? nil : String(path)
}

func withoutTrailingSlashes(_ path: String) -> Substring {
    var path = path[...]
    while path.hasSuffix("/") { path.removeLast() }
    return path
}

private func strictPath(_ text: String, longest: Int) -> String? {
    guard let path = plainPath(text), path.utf8.count <= longest, path.utf8.allSatisfy(isPlainPathByte) else { return nil }
    // An empty part is a doubled slash.
    let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    return parts.contains { $0.isEmpty || $0 == "." || $0 == ".." } ? nil : path
}

private func isPlainPathByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "/"):
        true
    default: false
    }
}
