import Glibc

/// Where this program is, whatever name it was started by.
package func executablePath() -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
        let count = readlink("/proc/self/exe", buffer.baseAddress!, buffer.count)
        precondition(count > 0, "/proc is mounted")
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
