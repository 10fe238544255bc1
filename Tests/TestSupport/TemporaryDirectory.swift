import FoundationEssentials
import Glibc

/// A directory for one test, which goes with it. Others may pass through it, as nginx's workers must.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init() {
        var template = Array("/tmp/quire-test-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "there is room for a temporary directory")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o755)
    }

    deinit {
        // What cannot be removed from /tmp does not make a promise of the product untrue.
        try? FileManager.default.removeItem(atPath: path)
    }

    package static func / (directory: TemporaryDirectory, name: String) -> String { "\(directory.path)/\(name)" }

    /// Writes a file and returns its path.
    @discardableResult
    package func write(_ name: String, _ contents: some Sequence<UInt8>) throws -> String {
        let file = self / name
        try Data(contents).write(to: URL(filePath: file))
        return file
    }

    @discardableResult
    package func write(_ name: String, _ contents: String) throws -> String { try write(name, contents.utf8) }

    package func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
}

/// Every byte of a file.
package func contents(of path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }
