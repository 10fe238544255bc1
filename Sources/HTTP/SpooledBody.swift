import Glibc
package import HTTPTypes

/// The body of a reply that grows while the request is worked on and is too long for memory: a temporary file without a name, gone
/// with this object or the process.
// Sound as Sendable: one thread at a time uses it, first to append and then to send.
package final class SpooledBody: @unchecked Sendable {
    /// A system call failed with this errno.
    package struct Failed: Error, Equatable {
        package let call: String
        package let errno: Int32
    }

    /// Bytes kept in memory before they are written, and sent at one time.
    private static let blockBytes = 1 << 16

    private let descriptor: Int32
    private let admit: @Sendable (_ bytes: Int) throws -> Void
    private var block: [UInt8] = []
    private var writtenBytes = 0

    /// - Parameters:
    ///   - directory: where the file takes its room.
    ///   - admit: asked before so many bytes are written, and throws where there is no room for them.
    package init(in directory: String, admit: @escaping @Sendable (_ bytes: Int) throws -> Void = { _ in }) throws(Failed) {
        let path = "\(directory)/spool-\(String(UInt64.random(in: .min ... .max), radix: 16))"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failed(call: "open", errno: errno) }
        self.descriptor = descriptor
        self.admit = admit
        // From here on `deinit` closes it, whatever happens.
        guard unlink(path) == 0 else { throw Failed(call: "unlink", errno: errno) }
    }

    deinit { close(descriptor) }

    /// The length of the body.
    package var count: Int { writtenBytes + block.count }

    /// Appends bytes to the body; what was appended before stays as it is if this fails.
    ///
    /// - Throws: what `admit` throws, or `Failed`.
    package func append(_ bytes: some Collection<UInt8>) throws {
        if !block.isEmpty, block.count + bytes.count > Self.blockBytes { try flush() }
        block += bytes
    }

    private func flush() throws {
        try admit(block.count)
        var rest = block[...]
        while !rest.isEmpty {
            let offset = writtenBytes + block.count - rest.count
            let count = rest.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, offset) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failed(call: "pwrite", errno: errno) }
            rest = rest.dropFirst(count)
        }
        writtenBytes += block.count
        block.removeAll(keepingCapacity: true)
    }

    /// Hands out the whole body, block by block.
    package func send(to put: (UnsafeRawBufferPointer) throws -> Void) throws {
        var buffer = [UInt8](repeating: 0, count: min(Self.blockBytes, writtenBytes))
        var sent = 0
        while sent < writtenBytes {
            let count = buffer.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, min($0.count, writtenBytes - sent), sent) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failed(call: "pread", errno: count < 0 ? errno : EIO) }
            try buffer.withUnsafeBytes { try put(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            sent += count
        }
        if !block.isEmpty { try block.withUnsafeBytes(put) }
    }
}

extension Response {
    /// A response whose body is in a file. Its length is announced, so that a client can tell that one is not whole.
    package init(status: HTTPResponse.Status, headers: HTTPFields = [:], spooled body: SpooledBody) {
        self.init(status: status, headers: headers)
        self.headers[.contentLength] = String(body.count)
        stream = { put in try body.send(to: put) }
    }
}
