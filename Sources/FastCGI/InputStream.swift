import CFastCGI

/// What libfcgi reads of a body, piece by piece without a copy.
struct InputStream {
    private let stream: UnsafeMutablePointer<FCGX_Stream>

    init(_ stream: UnsafeMutablePointer<FCGX_Stream>) {
        self.stream = stream
    }

    /// The bytes that libfcgi has at hand, after waiting for some if it has none; empty at the end and after an error. They stay
    /// until the next call.
    ///
    /// FCGX_GetStr would wait until it has all that it was asked for, as long as a client sends a byte now and then.
    func available() -> UnsafeBufferPointer<UInt8> {
        guard FCGX_GetChar(stream) != Self.endOfStream else { return UnsafeBufferPointer(start: nil, count: 0) }
        // As FCGX_UnGetc does: the character stands just before.
        stream.pointee.rdNext -= 1
        return UnsafeBufferPointer(start: stream.pointee.rdNext, count: stream.pointee.stop - stream.pointee.rdNext)
    }

    /// Leaves out the first of the bytes at hand from now on.
    func consume(_ count: Int) {
        stream.pointee.rdNext += count
    }

    /// 0, an errno, or a negative code of libfcgi: the peer broke off or does not speak FastCGI.
    var error: CInt { FCGX_GetError(stream) }

    private static let endOfStream: CInt = -1
}
