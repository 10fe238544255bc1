/// Reads the body of one request to its end, within limits of size and time.
struct BodyReader {
    private let stream: InputStream
    private let configuration: FastCGIConfiguration

    init(_ stream: InputStream, configuration: FastCGIConfiguration) {
        self.stream = stream
        self.configuration = configuration
    }

    enum Body {
        /// All that the peer sent, up to its end-of-body record.
        case whole([UInt8])
        /// More than `maxBodyBytes`, thrown away: to its end, or to `maxDiscardedBytes` when there is more still.
        case tooLarge
        /// The connection broke or stalled within the body. Nothing in it may be used.
        case broken
    }

    /// Reads all there is; `announced` only says how much memory to take at first, and what not to keep at all.
    func read(announced: Int?) -> Body { read(announced: announced, limit: configuration.maxBodyBytes) }

    /// Reads all there is, or `maxDiscardedBytes`, and keeps nothing. Returns false where the connection broke or stalled.
    func discard() -> Bool {
        if case .broken = read(announced: nil, limit: 0) { false } else { true }
    }

    private func read(announced: Int?, limit: Int) -> Body {
        var body: [UInt8] = []
        var received = 0
        var isTooLarge = (announced ?? 0) > limit
        let deadline = ContinuousClock.now + configuration.bodyTimeout
        if let announced, !isTooLarge { body.reserveCapacity(announced) }

        while true {
            let piece = stream.available()
            guard !piece.isEmpty else { break }
            received += piece.count
            if !isTooLarge, received > limit {
                isTooLarge = true
                body = []
            }
            if isTooLarge {
                guard received - limit <= configuration.maxDiscardedBytes else { return .tooLarge }
            } else {
                body.append(contentsOf: piece)
            }
            stream.consume(piece.count)
            guard ContinuousClock.now < deadline else { return .broken }
        }
        guard stream.error == 0 else { return .broken }
        return isTooLarge ? .tooLarge : .whole(body)
    }
}
