import ArgumentParser
import Database
import Keys
import Settings

/// `quire keys`: who may ask the server for what.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list, revoke and rotate the keys of clients.",
        discussion: """
            Keys are kept in the key ring (KEYS_FILE) as digests. A server that runs takes every change within a second or two.
            Exit 65: the ring is damaged, or others may write it; 66: there is no such key; 73: the ring cannot be written.
            """,
        subcommands: [Create.self, List.self, Revoke.self, Rotate.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key and print it, this once.",
            discussion: "The key alone goes to standard output: KEY=$(quire keys create NAME). Clients send 'Authorization: Bearer KEY'.")

        @OptionGroup var config: ConfigFileOption

        @Argument(help: "What the key is for, in up to 100 characters.")
        var name: String

        @Option(
            help: "read; write, which includes it; or admin, which includes both.",
            transform: argument("read, write or admin", Right.init(rawValue:)))
        var right = Right.read

        @Option(
            help: "The id of a library that the key is for; again for others. There are no others to it then. Default: all libraries.",
            transform: argument("the id of a library", LibraryID.init))
        var library: [LibraryID] = []

        @Option(
            help: "When the key ends: 2027-01-31, or with a time as in 2027-01-31T12:00:00Z. Default: never.",
            transform: argument("a time", Timestamp.init))
        var expires: Timestamp?

        func validate() throws {
            let controls = name.unicodeScalars.contains { $0.properties.generalCategory == .control }
            guard Key.nameLength.contains(name.unicodeScalars.count), !controls else {
                throw ValidationError("the name must have 1 to \(Key.nameLength.upperBound) characters, none of them a control character")
            }
            guard right < .admin || library.isEmpty else {
                throw ValidationError("a key with the right admin is for all libraries: what it may do concerns them all")
            }
            if let expires, expires.milliseconds <= Timestamp.now().milliseconds { throw ValidationError("\(expires) is over") }
        }

        func run() throws {
            let settings = try Settings.load(file: config.path)
            let libraries = library.isEmpty ? LibraryScope.all : .only(Set(library))
            let credential = try KeyRingFile(settings.keysFile).update { ring throws(KeysError) in
                try ring.create(name: name, right: right, libraries: libraries, expires: expires, at: .now())
            }
            standardOutput.write(credential.reveal() + "\n")
            if !settings.apiKeysRequired {
                standardError.write("quire: API_KEYS_REQUIRED is not set: a server with these settings asks nobody for a key\n")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print every key, but for its secret.")

        @OptionGroup var config: ConfigFileOption

        func run() throws {
            let ring = try config.keyRing().read()
            standardOutput.write(ring.keys.map { Self.line($0, at: .now()) }.joined())
        }

        static func line(_ key: Key, at time: Timestamp) -> String {
            let libraries =
                switch key.libraries {
                case .all: "all libraries"
                case .only(let ids): ids.isEmpty ? "no library" : ids.sorted().map(\.description).joined(separator: " ")
                }
            let end = key.expires.map { key.hasExpired(at: time) ? "EXPIRED \($0)" : "until \($0)" } ?? "without end"
            let previous = key.previousSecretEnds(after: time).map { ", its secret before until \($0)" } ?? ""
            return "\(key.id)  \(key.right.rawValue)  \(shown(key.name)): \(libraries), made \(key.created), \(end)\(previous)\n"
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take a key out of the ring.")

        @OptionGroup var config: ConfigFileOption

        @Argument(help: "The key's id, as `quire keys list` has it.", transform: argument("the id of a key", KeyID.init))
        var id: KeyID

        func run() throws {
            let key = try config.keyRing().update { ring throws(KeysError) in
                try ring.revoke(id)
            }
            standardOutput.write("revoked \(key.id), \(shown(key.name))\n")
        }
    }

    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a key another secret and print it, this once. Everything else about the key stays.")

        /// A month of 31 days.
        private static let longestOverlap = 2_678_400

        @OptionGroup var config: ConfigFileOption

        @Argument(help: "The key's id, as `quire keys list` has it.", transform: argument("the id of a key", KeyID.init))
        var id: KeyID

        @Option(name: .customLong("overlap-seconds"), help: "For how long the secret that the key has is taken too, up to 31 days.")
        var overlap = 0

        func validate() throws {
            guard (0...Self.longestOverlap).contains(overlap) else {
                throw ValidationError("--overlap-seconds must be 0 to \(Self.longestOverlap)")
            }
        }

        func run() throws {
            let credential = try config.keyRing().update { ring throws(KeysError) in
                try ring.rotate(id, overlap: .seconds(overlap), at: .now())
            }
            standardOutput.write(credential.reveal() + "\n")
        }
    }
}

extension ConfigFileOption {
    /// The key ring of the settings.
    fileprivate func keyRing() throws -> KeyRingFile { KeyRingFile(try Settings.load(file: path).keysFile) }
}

/// Reads an argument, or says what it must be.
private func argument<Value>(_ what: String, _ parse: @escaping @Sendable (String) -> Value?) -> @Sendable (String) throws -> Value {
    { text in
        guard let value = parse(text) else { throw ValidationError("'\(shown(text))' is not \(what)") }
        return value
    }
}
