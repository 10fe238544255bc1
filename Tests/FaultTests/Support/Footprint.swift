import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// What a process holds.
struct Footprint {
    let descriptors: Int
    /// That no file backs.
    let bytes: Int

    init(of process: pid_t) throws {
        descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
        let status = String(decoding: try contents(of: "/proc/\(process)/status"), as: UTF8.self)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
        bytes = try #require(Int(line.split(separator: " ")[1])) << 10
    }
}

/// The most memory that a process is seen to hold, looked at all the time.
final class HighestFootprint: Sendable {
    private let isOver = Shared(false)
    private let highest = Shared(0)
    private let watch: Background<Void>

    init(of process: pid_t) {
        let (isOver, highest) = (isOver, highest)
        watch = Background {
            while !isOver.current {
                let bytes = try Footprint(of: process).bytes
                highest.update { $0 = max($0, bytes) }
                poll(nil, 0, 1)
            }
        }
    }

    /// In bytes.
    func stop() throws -> Int {
        isOver.set(true)
        try watch.value()
        return highest.current
    }
}
