import FoundationEssentials
import Glibc
import TestSupport

/// A data directory, and the exerciser run on it.
struct Workspace: Sendable {
    let directory = TemporaryDirectory()

    var data: String { directory / "data" }
    var faultsFile: String { directory / "faults" }

    /// One with the same data.
    func copy() throws -> Workspace {
        let copy = Workspace()
        try FileManager.default.copyItem(atPath: data, toPath: copy.data)
        return copy
    }

    /// Runs the exerciser through `steps`, and under another program if `command` is one.
    ///
    /// - Parameters:
    ///   - earlier: how many operations were acknowledged by the runs before.
    ///   - faults: lines for the library that CFaultInjection is, which is preloaded then.
    func run(_ steps: [String], after earlier: Int = 0, faults: [String] = [], under command: [String] = []) throws -> Run {
        var environment: [String: String] = [:]
        if !faults.isEmpty { environment = try Faults.environment(faultsFile, faults) }
        let arguments = command + ["\(builtProducts)/StorageExerciser", data] + steps
        let process = try ChildProcess(arguments[0], Array(arguments.dropFirst()), environment: environment, in: directory)
        let status = process.wait()
        return Run(status: status, output: process.output, errors: process.errors, earlier: earlier)
    }

    /// The one segment of the log.
    var segment: String { data + "/wal-0000000000000001.log" }

    /// Every file but the lock, by name.
    func files() throws -> [String: [UInt8]] {
        try FileManager.default.contentsOfDirectory(atPath: data).filter { $0 != "LOCK" }.reduce(into: [:]) { files, name in
            files[name] = try contents(of: "\(data)/\(name)")
        }
    }
}

/// Lines for the library that CFaultInjection is.
enum Faults {
    static let library = "\(builtProducts)/libquire-faults.so"

    /// Makes these the faults that processes with the returned environment meet from now on.
    @discardableResult
    static func environment(_ file: String, _ lines: [String]) throws -> [String: String] {
        try Data((lines.map { $0 + "\n" }).joined().utf8).write(to: URL(filePath: file), options: .atomic)
        return ["LD_PRELOAD": library, "QUIRE_FAULTS": file]
    }
}

/// How a run of the exerciser ended, and what it had said by then.
struct Run: Sendable {
    static let killed = -SIGKILL

    let status: Int32
    let output: String
    let errors: String
    /// Operations before this one have to be there.
    private(set) var acknowledgedCount: Int
    /// Operations from this one on must not be there: they were not sent, or were sent after one that failed.
    private(set) var sentCount: Int
    /// Operations that were acknowledged after another one had failed.
    private(set) var acknowledgedAfterFailure: [Int] = []
    private(set) var hasFailure = false
    /// What `show` printed, each time.
    private(set) var shown: [Shown] = []

    struct Shown: Sendable {
        let truncatedBytes: Int
        let contents: String
    }

    init(status: Int32, output: String, errors: String, earlier: Int = 0) {
        self.status = status
        self.output = output
        self.errors = errors
        acknowledgedCount = earlier
        sentCount = earlier
        var lines = output.split(separator: "\n")[...]
        while let line = lines.popFirst() {
            let words = line.split(separator: " ")
            guard words.count > 1, let number = Int(words[1]) else { continue }
            switch words[0] {
            case "sent": if !hasFailure { sentCount = number + 1 }
            case "acknowledged":
                if hasFailure { acknowledgedAfterFailure.append(number) } else { acknowledgedCount = max(acknowledgedCount, number + 1) }
            case "failed": hasFailure = true
            case "truncated":
                shown.append(Shown(truncatedBytes: number, contents: lines.prefix { $0 != "end" }.joined(separator: "\n")))
            default: break
            }
        }
    }
}
