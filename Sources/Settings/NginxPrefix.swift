import FoundationEssentials
import Glibc

/// nginx's prefix in the run directory: the files of `nginx/` and the generated ones, checked by nginx before they take its place.
package struct NginxPrefix: Sendable {
    /// The directory with `nginx.conf`, `conf.d` and `snippets`.
    let source: String
    /// Where the prefix appears: a link, so that one rename replaces the whole configuration.
    package let output: String
    /// The nginx that checks it.
    let executable: String

    package init(source: String, output: String, executable: String) {
        self.source = source
        self.output = output
        self.executable = executable
    }

    private static let largestFile = 1 << 20

    /// Writes the configuration beside the one in place, lets nginx check it, and swaps them. On failure what was in place stays.
    ///
    /// nginx resolves the paths in these files against the prefix, and they point to its parent (`../nginx.pid`): a running nginx
    /// keeps its pid, logs and temporary files while its configuration is replaced.
    package func install(_ configuration: NginxConfiguration) throws(SettingsError) {
        let lock = try lockParent()
        defer { close(lock) }
        try checkOutput()
        // Under the lock nobody else is writing one: what is not in place was left by a process that died.
        try removeAllExcept(current)

        let name = "\(outputName)-\(String(UInt64.random(in: .min ... .max), radix: 16))"
        let candidate = "\(parent)/\(name)"
        do throws(SettingsError) {
            try write(configuration, to: candidate)
            try check(candidate)
            try swap(in: name)
        } catch {
            try remove(candidate)
            throw error
        }
        try removeAllExcept(name)
    }

    private func write(_ configuration: NginxConfiguration, to candidate: String) throws(SettingsError) {
        try makeDirectory(candidate)
        try copy("nginx.conf", to: candidate)
        for directory in ["conf.d", "snippets"] {
            try makeDirectory("\(candidate)/\(directory)")
            for name in try names(in: "\(source)/\(directory)") where name.hasSuffix(".conf") {
                try copy("\(directory)/\(name)", to: candidate)
            }
        }
        try makeDirectory("\(candidate)/\(NginxConfiguration.directory)")
        for (name, contents) in configuration.files {
            try writeNewFile("\(candidate)/\(name)", Array(contents.utf8), mode: 0o644)
        }
    }

    private func check(_ candidate: String) throws(SettingsError) {
        try run("-t", "-q", on: candidate)
    }

    /// Has the nginx that runs on this prefix take up what is in place. It goes on with its old workers until they have answered what
    /// they have begun, and refuses nobody meanwhile; a connection that is kept open for more requests may be closed.
    ///
    /// - Throws: `.nginx` when none runs.
    package func reload() throws(SettingsError) {
        try run("-s", "reload", on: output)
    }

    private func run(_ options: String..., on prefix: String) throws(SettingsError) {
        // `-e stderr`: the log file that nginx was compiled with may not be ours to open.
        let result = try runCommand(executable, options + ["-p", prefix + "/", "-c", "nginx.conf", "-e", "stderr"])
        guard result.status == 0 else {
            let lines = result.errorOutput.split(whereSeparator: \.isNewline).map(String.init)
            // One that signals another says so first.
            let said = lines.first { $0.contains("[emerg]") } ?? lines.first { $0.contains("[error]") } ?? lines.first
            let line = said ?? "nginx \(options.joined(separator: " ")) ended with status \(result.status)"
            throw .nginx(reason: line.replacing(prefix, with: output))
        }
    }

    private func swap(in name: String) throws(SettingsError) {
        let link = "\(parent)/.\(name)"
        guard symlink(name, link) == 0 else { throw .nginx(reason: "cannot make \(link): \(lastErrorText())") }
        guard rename(link, output) == 0 else {
            let reason = lastErrorText()
            unlink(link)
            throw .nginx(reason: "cannot replace \(output): \(reason)")
        }
    }

    // MARK: The parts of the path

    private var parent: String {
        let parent = output[..<(output.lastIndex(of: "/") ?? output.startIndex)]
        return parent.isEmpty ? (output.hasPrefix("/") ? "/" : ".") : String(parent)
    }

    private var outputName: String { String(output[(output.lastIndex(of: "/").map(output.index(after:)) ?? output.startIndex)...]) }

    /// The directory that is in place, by its name; nil before the first one.
    private var current: String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
            let count = readlink(output, buffer.baseAddress!, buffer.count)
            return count < 0 ? nil : String(validating: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// A directory that somebody else made is not ours to replace.
    private func checkOutput() throws(SettingsError) {
        var status = stat()
        guard lstat(output, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFLNK, let current, isCandidate(current) else {
            throw .nginx(reason: "\(output) exists and was not made by this command")
        }
    }

    private func isCandidate(_ name: String) -> Bool {
        let random = name.dropFirst(outputName.count + 1)
        return name.hasPrefix(outputName + "-") && (1...16).contains(random.count) && random.allSatisfy(\.isHexDigit)
    }

    // MARK: Files

    private func lockParent() throws(SettingsError) -> Int32 {
        let path = "\(parent)/.\(outputName).lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .nginx(reason: "cannot open \(path): \(lastErrorText())") }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let reason = lastErrorText()
                close(descriptor)
                throw .nginx(reason: "cannot lock \(path): \(reason)")
            }
        }
        return descriptor
    }

    private func removeAllExcept(_ kept: String?) throws(SettingsError) {
        for name in try names(in: parent) where name != kept {
            let isLink = name.hasPrefix(".") && isCandidate(String(name.dropFirst()))
            if isLink || isCandidate(name) { try remove("\(parent)/\(name)") }
        }
    }

    private func copy(_ name: String, to candidate: String) throws(SettingsError) {
        try writeNewFile("\(candidate)/\(name)", readFile("\(source)/\(name)", atMost: Self.largestFile), mode: 0o644)
    }

    private func makeDirectory(_ path: String) throws(SettingsError) {
        guard mkdir(path, 0o755) == 0, chmod(path, 0o755) == 0 else { throw .nginx(reason: "cannot make \(path): \(lastErrorText())") }
    }

    private func names(in directory: String) throws(SettingsError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory)
        } catch {
            throw .nginx(reason: "cannot list \(directory): \(error)")
        }
    }

    private func remove(_ path: String) throws(SettingsError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw .nginx(reason: "cannot remove \(path): \(error)")
        }
    }
}
