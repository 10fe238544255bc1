import ArgumentParser
import Glibc
import Locks
import Storage

/// The log: what one sync costs, and what writers gain who share it.
struct Log: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures appending to a log with policy always, by one writer and by many, each of whom waits for each of its records.")

    @Argument(help: "An existing directory on the disk to be measured. A log is made in it and removed again.")
    var directory: String

    @Option(help: "Bytes of a record's payload.")
    var bytes = 2048

    @Option(help: "Threads that write at the same time, beside the run with one.")
    var writers = 64

    @Option(help: "Seconds of each run; five are made of each kind, in turn.")
    var seconds = 2.0

    func validate() throws {
        guard (1...1 << 20).contains(bytes), (1...1024).contains(writers), seconds > 0 else {
            throw ValidationError("--bytes is at most 1 MiB, --writers at most 1024, --seconds positive.")
        }
    }

    func run() throws {
        var (alone, together): ([Double], [Double]) = ([], [])
        for round in 0..<5 {
            alone.append(try recordsPerSecond(writers: 1, round))
            together.append(try recordsPerSecond(writers: writers, round))
        }
        let (one, many) = (alone.sorted()[2], together.sorted()[2])
        print("figure | records/s of \(bytes) bytes, 1 writer, median of 5 runs | \(Int(one))")
        print("figure | records/s of \(bytes) bytes, \(writers) writers, median of 5 runs | \(Int(many))")
        print("figure | throughput of \(writers) writers against 1 | \((many / one * 10).rounded() / 10) ×")
    }

    private func recordsPerSecond(writers: Int, _ round: Int) throws -> Double {
        let directory = "\(directory)/quire-bench-log-\(getpid())-\(writers)-\(round)"
        let files = LocalFileSystem()
        _ = try files.makeDirectory(directory)
        defer {
            for name in (try? files.list(directory)) ?? [] { try? files.remove("\(directory)/\(name)") }
            rmdir(directory)
        }
        let log = try WriteAheadLog.open(directory: directory, fileSystem: files, policy: .always) { _ in }
        try log.start(committed: { _ in }, failed: { fatalError("\($0)") })
        let payload = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let end = ContinuousClock.now + .seconds(seconds)
        let threads = try (0..<writers).map { _ in
            try Thread("bench") {
                do {
                    while ContinuousClock.now < end { try log.waitUntilCommitted(try log.append(type: 1, payload: payload)) }
                } catch {
                    fatalError("\(error)")
                }
            }
        }
        for thread in threads { thread.join() }
        let count = log.lastSequence.rawValue
        try log.close()
        return Double(count) / seconds
    }
}
