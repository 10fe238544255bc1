import Database
import Glibc

/// What the system keeps count of for this process.
struct ProcessFigures {
    let cpuSeconds: Double
    /// Seconds since 1970.
    let startTime: Double
    /// nil where they cannot be read.
    let openDescriptors: Int?
    let descriptorLimit: Int?

    /// As good as the start of the process: this is the first thing of the room that it touches.
    private static let began = Double(Timestamp.now().milliseconds) / 1000

    /// Notes the start of the process. Once is enough.
    static func noteStart() { _ = began }

    static var now: ProcessFigures {
        var usage = rusage()
        let isKnown = getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0
        precondition(isKnown, "a process may ask what it used")
        var limit = rlimit()
        let hasLimit = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        return ProcessFigures(
            cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime), startTime: began, openDescriptors: countDescriptors(),
            descriptorLimit: hasLimit ? Int(clamping: limit.rlim_cur) : nil)
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    private static func countDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // "." and "..", and the one that reads.
        return count - 3
    }
}
