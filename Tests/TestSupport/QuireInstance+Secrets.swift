import FoundationEssentials
import Glibc

/// What is to be nowhere in what an instance says. Every instance is searched for its secrets when it ends.
extension QuireInstance {
    /// Runs `quire keys` with these arguments, and returns what it prints. A key is a secret from here on.
    package func keys(_ arguments: [String]) throws -> String {
        // Not in the directory of the instance, where no key may be.
        let scratch = TemporaryDirectory()
        let process = try ChildProcess("\(builtProducts)/quire", ["keys"] + arguments, environment: environment, in: scratch)
        guard process.wait() == 0 else { throw Failed(what: "quire keys \(arguments): \(process.errors)") }
        let printed = String(process.output.dropLast())
        if printed.hasPrefix("qk_") { keep(secret: String(printed.suffix(64))) }
        return printed
    }

    /// Returns when the server lets in who has the key.
    package func waitUntilKnown(_ key: String) throws {
        try waitUntil("the key is known") {
            (try? send("GET", "/v1/libraries", headers: ["X-API-Key": key]))?.status == 200
        }
    }

    /// From here on it is nowhere to be seen. Nothing is no secret.
    package func keep(secret: String) {
        if !secret.isEmpty { secrets.update { $0.append(secret) } }
    }

    /// For a test of the search itself.
    package func forgetLastSecret() { secrets.update { _ = $0.removeLast() } }

    /// Where a secret can be read: in what the processes have printed, in nginx's files with its access log, in the key ring, on the page
    /// of figures, in the arguments of a process.
    package func leaks() -> [String] { leaks(overheard: overheard) }

    func leaks(overheard: [(place: String, bytes: [UInt8])]) -> [String] {
        var files: [String] = []
        for name in (try? directory.names()) ?? [] where name.hasPrefix("output-") || name.hasPrefix("errors-") {
            files.append("\(directory.path)/\(name)")
        }
        for name in (try? FileManager.default.subpathsOfDirectory(atPath: runDirectory)) ?? [] { files.append("\(runDirectory)/\(name)") }
        files.append("\(environment["VECTOR_DB_DATA_DIR"] ?? dataDirectory)/keys.json")

        let secrets = secrets.current
        var leaks: [String] = []
        for file in files {
            guard let contents = FileManager.default.contents(atPath: file) else { continue }
            if Array(contents).contains(anyOf: secrets) { leaks.append(file) }
        }
        for (place, bytes) in overheard where bytes.contains(anyOf: secrets) { leaks.append(place) }
        return leaks
    }
}

extension [UInt8] {
    /// Whether one of these texts is in it, found by the C library: logs are long, and this code may not be optimised.
    fileprivate func contains(anyOf texts: [String]) -> Bool {
        (self + [0]).withUnsafeBytes { bytes -> Bool in
            let start = bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
            var position = 0
            // From one zero to the next.
            while position < count {
                for text in texts where strstr(start + position, text) != nil { return true }
                position += Int(strlen(start + position)) + 1
            }
            return false
        }
    }
}
