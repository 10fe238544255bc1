import Glibc

/// What a figure must be read with: the processor, and the memory of this process.
enum Machine {
    struct Unreadable: Error {
        let path: String
    }

    /// As Linux names it; "unknown" where it does not (AArch64).
    static var processorName: String {
        guard let value = try? field("model name", of: "/proc/cpuinfo") else { return "unknown" }
        return value
    }

    static let processorCount = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))

    /// Memory that belongs to this process and to no file.
    static func anonymousBytes() throws(Unreadable) -> Int {
        let value = try field("RssAnon", of: "/proc/self/status")
        guard let kibibytes = Int(value.prefix { $0.isNumber }) else { throw Unreadable(path: "/proc/self/status") }
        return kibibytes * 1024
    }

    /// The value of the first line `name: value` of a file.
    private static func field(_ name: String, of path: String) throws(Unreadable) -> String {
        guard let file = fopen(path, "r") else { throw Unreadable(path: path) }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var size = 0
        defer { free(line) }
        while getline(&line, &size, file) > 0 {
            let parts = String(cString: line!).split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].trimmed == name else { continue }
            return parts[1].trimmed
        }
        throw Unreadable(path: path)
    }
}

/// Prints a figure behind its name.
func report(_ name: String, _ value: String) {
    print(name + String(repeating: " ", count: max(26 - name.count, 1)) + value)
}

/// A number with a fixed count of decimals.
func rounded(_ value: Double, _ decimals: Int) -> String {
    guard decimals > 0 else { return String(Int(value.rounded())) }
    var scale = 1
    for _ in 0..<decimals { scale *= 10 }
    let whole = Int((value * Double(scale)).rounded())
    let fraction = String(whole % scale)
    return "\(whole / scale)." + String(repeating: "0", count: decimals - fraction.count) + fraction
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
