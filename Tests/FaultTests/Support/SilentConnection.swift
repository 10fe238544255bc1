import Glibc
import TestSupport

/// A connection to the responder's socket on which, after its first words, nothing is said: as of an nginx that has come to a halt.
final class SilentConnection: Sendable {
    /// The first record of a request, which promises that more will come.
    static let beginning: [UInt8] = [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]

    private let descriptor: Int32

    init(to quire: QuireInstance, saying words: [UInt8] = []) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let isConnected = withUnixAddress(quire.runDirectory + "/responder.sock") { connect(descriptor, $0, $1) == 0 }
        guard isConnected, send(descriptor, words, words.count, Int32(MSG_NOSIGNAL)) == words.count else {
            throw QuireInstance.Failed(what: "no connection to the responder: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }
}
