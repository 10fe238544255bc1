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
