import Glibc
import HTTP

/// The body of one request as libfcgi reads it, for a handler that takes it as it comes.
final class StreamedBody: IncomingBody {
    /// How far the body was read.
    enum State: Equatable {
        case arriving
        /// All of it was read.
        case ended
        case failed(IncomingBodyError)
    }

    private(set) var state = State.arriving
    private let stream: InputStream
    private let announced: Int?
    private let isStopping: () -> Bool
    private var received = 0

    init(_ stream: InputStream, announced: Int?, isStopping: @escaping () -> Bool) {
        self.stream = stream
        self.announced = announced
        self.isStopping = isStopping
    }

    func read(atMost limit: Int) throws(IncomingBodyError) -> [UInt8]? {
        precondition(limit > 0, "whoever reads wants at least one byte")
        guard state == .arriving else { return nil }
        if isStopping() { throw fail(.stopping) }
        let piece = stream.available()
        guard !piece.isEmpty else {
            try end()
            return nil
        }
        let bytes = Array(UnsafeBufferPointer(rebasing: piece.prefix(limit)))
        stream.consume(bytes.count)
        received += bytes.count
        if let announced, received > announced { throw fail(.wrongLength(announced: announced, received: received)) }
        return bytes
    }

    /// From here on there is nothing to read: what libfcgi has belongs to somebody else.
    func close() {
        if state == .arriving { state = .ended }
    }

    private func end() throws(IncomingBodyError) {
        switch stream.error {
        case 0: break
        case EAGAIN: throw fail(.timedOut)
        default: throw fail(.clientGone)
        }
        if let announced, received < announced { throw fail(.wrongLength(announced: announced, received: received)) }
        state = .ended
    }

    private func fail(_ error: IncomingBodyError) -> IncomingBodyError {
        state = .failed(error)
        return error
    }
}
