import Glibc

/// The whole content of a small file.
func readFile(_ path: String, atMost largestSize: Int) throws(SettingsError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unreadableFile(path: path, reason: lastErrorText()) }
    defer { close(descriptor) }
    do {
        return try readAll(descriptor, atMost: largestSize)
    } catch {
        throw .unreadableFile(path: path, reason: error.reason)
    }
}

/// Everything up to the end of the file or pipe.
func readAll(_ descriptor: Int32, atMost largestSize: Int) throws(ReadFailure) -> [UInt8] {
    var contents: [UInt8] = []
    while true {
        var failure: Int32 = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
            let got = read(descriptor, buffer.baseAddress, buffer.count)
            if got < 0 { failure = errno }
            count = max(0, got)
        }
        if failure == EINTR { continue }
        guard failure == 0 else { throw ReadFailure(reason: errorText(failure)) }
        guard !chunk.isEmpty else { return contents }
        contents += chunk
        guard contents.count <= largestSize else { throw ReadFailure(reason: "larger than \(largestSize) bytes") }
    }
}

struct ReadFailure: Error {
    let reason: String
}

/// Writes a new file with exactly these permissions, whatever the umask; an existing file is an error.
func writeNewFile(_ path: String, _ contents: [UInt8], mode: mode_t) throws(SettingsError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
    guard descriptor >= 0 else { throw .nginx(reason: "cannot create \(path): \(lastErrorText())") }
    defer { close(descriptor) }
    guard fchmod(descriptor, mode) == 0 else { throw .nginx(reason: "cannot set the mode of \(path): \(lastErrorText())") }
    var rest = contents[...]
    while !rest.isEmpty {
        let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { throw .nginx(reason: "cannot write \(path): \(lastErrorText())") }
        rest = rest.dropFirst(written)
    }
}

/// What the last failed call of this thread says about itself.
func lastErrorText() -> String { errorText(errno) }

func errorText(_ code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        strerror_r(code, buffer.baseAddress!, buffer.count) == 0 ? String(cString: buffer.baseAddress!) : "error \(code)"
    }
}
