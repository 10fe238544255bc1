import FoundationEssentials
import Glibc

/// A directory for one test, which goes with it. Others may pass through it, as nginx's workers must.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/quire-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o755)
    }

    deinit {
        // What cannot be removed from /tmp does not make a promise of the product untrue.
        try? FileManager.default.removeItem(atPath: path)
    }

    package static func / (directory: TemporaryDirectory, name: String) -> String { "\(directory.path)/\(name)" }
}
