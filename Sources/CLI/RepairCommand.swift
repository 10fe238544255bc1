import ArgumentParser
import Database
import Glibc
import Storage

/// `quire repair`: makes a damaged data directory one that opens, at a price that it names.
struct RepairCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair", abstract: "Make a data directory that the server refuses one that opens, and say what is given up.",
        discussion: """
            Keeps the newest snapshot that is whole, and every intact record of the log behind it that can still be applied. The \
            directory is copied first; the damaged files are in the copy afterwards. A directory that opens is left as it is.
            """)

    @OptionGroup var directory: DataDirectoryOption

    @Option(help: "Where to copy the directory before anything is changed; must not exist. Default: beside it, as DIRECTORY.before-repair.")
    var backup: String?

    @Flag(help: "Only say what would be given up.")
    var dryRun = false

    func run() throws {
        let (path, lock) = try directory.locked()
        try withExtendedLifetime(lock) {
            guard let repair = try Repair(directory: path) else {
                return standardOutput.write("nothing to repair: a start opens \(path)\n")
            }
            standardOutput.write(Self.plan(repair))
            guard !dryRun else { return }
            try carryOut(repair, path)
        }
    }

    private func carryOut(_ repair: Repair, _ path: String) throws {
        let backup = backup ?? path + ".before-repair"
        do throws(StorageError) {
            let left = try repair.carryOut(backup: backup)
            for name in left { standardOutput.write("not copied, and left where it is: \(shown(name))\n") }
        } catch {
            guard case .ioFailed(_, let failed, let errno) = error, failed == backup else { throw error }
            let hint = errno == EEXIST ? "; name another one with --backup" : ""
            standardError.write("quire: the copy cannot be made: \(error)\(hint)\n")
            throw DataExit.cannotCreate
        }
        standardOutput.write("repaired; the directory as it was is in \(backup)\n")
    }

    private static func plan(_ repair: Repair) -> String {
        var lines = ["a start is refused: \(shown(repair.refusal.description))"]
        lines.append(
            "kept: \(repair.snapshot ?? "no snapshot") and \(repair.applied) records behind it, "
                + "\(repair.libraries) libraries with \(repair.documents) documents; the log goes on behind record \(repair.lastSequence)")
        lines += repair.givenUp.isEmpty ? ["given up: nothing"] : repair.givenUp.flatMap(Self.lines)
        return lines.map { $0 + "\n" }.joined()
    }

    private static func lines(_ givenUp: GivenUp) -> [String] {
        let what =
            switch givenUp.sequences {
            case nil: "bytes that may have been a record"
            case let range? where range.lowerBound == range.upperBound: "record \(range.lowerBound)"
            case let range?: "records \(range.lowerBound) to \(range.upperBound)"
            }
        let places = givenUp.places.map { place in
            let record = place.record.map { ", record \($0)" } ?? ""
            let was = place.was.map { ": \($0)" } ?? ""
            return shown("    \(place.file) offset \(place.offset), \(place.bytes) bytes\(record)\(was) (\(place.reason))")
        }
        return [shown("given up: \(what): \(givenUp.reason)")] + places
    }
}
