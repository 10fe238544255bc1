import Glibc
import TestSupport
import Testing

/// How long a process has had a processor.
struct ProcessorTime {
    let parent: pid_t
    /// Itself, in all its threads.
    let own: Duration
    /// Its children that have ended.
    let ended: Duration

    init(of process: pid_t) throws {
        let line = String(decoding: try contents(of: "/proc/\(process)/stat"), as: UTF8.self)
        // The name, in brackets, may have anything in it. The state behind it is field 3 (proc_pid_stat(5)).
        let end = try #require(line.lastIndex(of: ")"))
        let fields = line[end...].split(separator: " ").dropFirst().map { Int($0) ?? 0 }
        let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        func time(_ first: Int) -> Duration { Duration.seconds(Double(fields[first - 3] + fields[first - 2]) / ticksPerSecond) }
        parent = pid_t(fields[1])
        own = time(14)
        ended = time(16)
    }
}
