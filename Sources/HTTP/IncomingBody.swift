/// The body of a request while it arrives, for whoever does not need it whole.
///
/// Belongs to the thread that answers the request, until that is done. What nobody reads of it is no error.
package protocol IncomingBody: AnyObject {
    /// The next bytes: at least one, at most `limit`. Waits for them. `nil` at the end of the body, from then on.
    ///
    /// - Throws: at most once; there is nothing to be had from the body afterwards. What was read before remains valid.
    func read(atMost limit: Int) throws(IncomingBodyError) -> [UInt8]?
}

/// Why a body ends before its end.
package enum IncomingBodyError: Error, Equatable {
    /// The client broke off. Nobody will see the reply.
    case clientGone
    /// The client said nothing for longer than the transport waits.
    case timedOut
    /// The server is told to stop, and waits for replies in progress for a few seconds only.
    case stopping
    /// The body is not as long as it was announced.
    case wrongLength(announced: Int, received: Int)
}

/// A body that is there already.
package final class CompleteBody: IncomingBody {
    private var rest: ArraySlice<UInt8>

    package init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    package func read(atMost limit: Int) -> [UInt8]? {
        precondition(limit > 0, "whoever reads wants at least one byte")
        guard !rest.isEmpty else { return nil }
        defer { rest = rest.dropFirst(limit) }
        return Array(rest.prefix(limit))
    }
}
