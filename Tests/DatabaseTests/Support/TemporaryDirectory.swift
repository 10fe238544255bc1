import Glibc
import Storage

/// A directory that exists from `init` to the end of its life. It may hold files, no directories.
final class TemporaryDirectory {
    let path: String

    init() {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/quire-database-tests-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "mkdtemp failed with \(errno)")
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit {
        for name in (try? LocalFileSystem().list(path)) ?? [] { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}
