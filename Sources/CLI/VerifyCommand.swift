import ArgumentParser
import Database
import Storage

/// `quire verify`: whether everything in a data directory is as it was written.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Read every file of a data directory that no server uses, and load what a start would load.",
        discussion: """
            Changes nothing. Exit 0: all is as it was written; 65: something is not; 75: a server uses the directory, so ask that: \
            POST /v1/admin/verify.
            """)

    @OptionGroup var directory: DataDirectoryOption

    func run() throws {
        let (path, lock) = try lockedDirectory()
        let verification = try withExtendedLifetime(lock) { try Verification.ofDirectory(path) }
        for component in verification.components { standardOutput.write(Self.lines(component)) }
        guard !verification.isIntact else { return standardOutput.write("intact\n") }
        let damaged = verification.components.count { $0.damaged > 0 }
        standardOutput.write("damaged: \(damaged) of \(verification.components.count) parts\n")
        throw DataExit.dataRefused
    }

    private func lockedDirectory() throws -> (path: String, lock: DirectoryLock) {
        do {
            return try directory.locked()
        } catch let error as StorageError where error.category == .inUse {
            standardError.write("quire: \(error); a server that runs is asked with POST /v1/admin/verify\n")
            throw DataExit.inUse
        }
    }

    private static func lines(_ component: CheckedComponent) -> String {
        var figures = component.figures.map { "\($0.count) \($0.figure.rawValue.replacing("_", with: " "))" }
        if component.bytes > 0 { figures.append("\(component.bytes) bytes") }
        let status = component.damaged == 0 ? "intact " : "DAMAGED"
        let kind = component.kind == .library || component.kind == .index ? "\(component.kind.rawValue) " : ""
        let line = "\(status) \(kind)\(component.name)" + (figures.isEmpty ? "" : ": " + figures.joined(separator: ", "))
        let more = component.damaged - component.problems.count
        let problems = component.problems + (more > 0 ? ["\(more) more like these"] : [])
        return ([line] + problems.map { "        " + shown($0) }).map { $0 + "\n" }.joined()
    }
}
