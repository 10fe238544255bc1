import Glibc

/// A directory of its own for a test, removed with its files at the end.
final class TemporaryDirectory {
    let path: String
    private var files: [String] = []

    init() {
        var template = Array("/tmp/quire-embedding-XXXXXX".utf8CString)
        guard let path = template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!).map { String(cString: $0) } }) else {
            fatalError("cannot make a temporary directory")
        }
        self.path = path
    }

    deinit {
        for file in files { unlink(file) }
        rmdir(path)
    }

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ bytes: some Sequence<UInt8>, to name: String) -> String {
        let file = path + "/" + name
        let stream = fopen(file, "wb")!
        let bytes = Array(bytes)
        fwrite(bytes, 1, bytes.count, stream)
        fclose(stream)
        files.append(file)
        return file
    }
}

/// Every byte of a file.
func contents(of path: String) -> [UInt8] {
    let stream = fopen(path, "rb")!
    defer { fclose(stream) }
    fseek(stream, 0, SEEK_END)
    var bytes = [UInt8](repeating: 0, count: ftell(stream))
    rewind(stream)
    let count = fread(&bytes, 1, bytes.count, stream)
    precondition(count == bytes.count)
    return bytes
}
