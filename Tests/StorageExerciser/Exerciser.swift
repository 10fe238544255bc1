import Database
import Glibc
import Storage

/// Runs a database in a process of its own, for tests that make its system calls fail, or the last of its life:
/// `StorageExerciser DIRECTORY STEP...` opens it, takes the steps in order, and closes it.
///
/// A start or a close that fails ends the process with the server's exit code for it and says why on the error output.
@main struct Exerciser {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        let steps = arguments.dropFirst().map { argument in
            guard let step = Step(argument) else { fail(64, "no step: \(argument)") }
            return step
        }
        guard let directory = arguments.first else { fail(64, "no directory") }
        if case .log(let count)? = steps.first { return orFail { try writeLog(in: directory, records: count) } }

        let database = orFail { try open(directory, steps) }
        var client = Client(database)
        for step in steps {
            switch step {
            case .show: orFail { print(database.recovery.truncatedBytes, try DatabaseContents(of: database)) }
            case .run(let rounds): client.run(ScriptOperation.script(rounds: rounds))
            case .prepare: client.run(Array(ScriptOperation.batch[..<ScriptOperation.heldOfBatch]))
            case .batch: client.runInOneBatch(ScriptOperation.batch[ScriptOperation.heldOfBatch...])
            case .acknowledgeEarly: client.acknowledgesEarly = true
            case .log, .snapshotBytes: break
            }
        }
        orFail { try database.close() }
    }

    private static func open(_ directory: String, _ steps: [Step]) throws -> Database {
        var snapshotBytes = 1 << 40
        for case .snapshotBytes(let bytes) in steps { snapshotBytes = bytes }
        return try Database(
            directory: directory, durability: .always, snapshotLogBytes: snapshotBytes,
            snapshotFailed: { say("no snapshot: \($0)") }, storageFailed: { say("stopped: \($0)") })
    }

    /// A log of its own, which another run of the program writes byte for byte the same: with a fixed name, and without the seals that
    /// depend on how long a pause was.
    private static func writeLog(in directory: String, records: Int) throws {
        let options = LogOptions(segmentLimit: 4096, idleBeforeSeal: .seconds(3600), newDatabaseID: DatabaseID(high: 1, low: 2))
        _ = try LocalFileSystem().makeDirectory(directory)
        let log = try WriteAheadLog.open(directory: directory, fileSystem: LocalFileSystem(), policy: .always, options: options) { _ in }
        try log.start(committed: { _ in }, failed: { say("stopped: \($0)") })
        for number in 1...records {
            let payload = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number)
            try log.waitUntilCommitted(try log.append(type: 1, payload: payload))
        }
        try log.close()
    }

    private static func print(_ truncatedBytes: UInt64, _ contents: DatabaseContents) {
        say("truncated \(truncatedBytes)\n\(contents)\nend")
    }

    private static func orFail<Success>(_ body: () throws -> Success) -> Success {
        do {
            return try body()
        } catch let error as StorageError {
            fail(error.category == .dataRefused ? 65 : 70, "\(error)")
        } catch {
            fail(70, "\(error)")
        }
    }

    private static func fail(_ code: Int32, _ reason: String) -> Never {
        let line = Array("\(reason)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        exit(code)
    }
}

/// Prints lines with one write: what was said before a kill is in the output, whole.
func say(_ text: String) {
    let bytes = Array("\(text)\n".utf8)
    guard write(STDOUT_FILENO, bytes, bytes.count) == bytes.count else { exit(74) }
}

/// What the exerciser can be told to do.
enum Step {
    /// Print how many bytes the start cut off the log, and everything in the database.
    case show
    /// The operations of `ScriptOperation.script`, from the first on that is not in the database.
    case run(rounds: Int)
    /// The operations of `ScriptOperation.batch` before the one that is held.
    case prepare
    /// The others: all after the first, whose sync a fault has to hold, are one write.
    case batch
    /// A bug to be found: from here on operations are acknowledged before they are made.
    case acknowledgeEarly
    /// Instead of all others: a bare log with so many records.
    case log(records: Int)
    /// A snapshot is taken whenever the log has grown by so many bytes, on the thread that does this.
    case snapshotBytes(Int)

    init?(_ argument: String) {
        let parts = argument.split(separator: "=")
        let number = parts.count > 1 ? Int(parts[1]) : nil
        switch (parts[0], number) {
        case ("show", nil): self = .show
        case ("run", let rounds?): self = .run(rounds: rounds)
        case ("prepare", nil): self = .prepare
        case ("batch", nil): self = .batch
        case ("acknowledge-early", nil): self = .acknowledgeEarly
        case ("log", let records?): self = .log(records: records)
        case ("snapshot-bytes", let bytes?): self = .snapshotBytes(bytes)
        default: return nil
        }
    }
}
