import Glibc

/// A stream that text is written to at once.
struct Output {
    fileprivate let descriptor: Int32

    /// Writes as much as the other end takes; one that is gone has no use for the rest.
    func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }
}

let standardOutput = Output(descriptor: STDOUT_FILENO)
let standardError = Output(descriptor: STDERR_FILENO)
