import CPlatform
import Glibc

/// One worker: waits for a connection, serves it, again until the server stops.
///
/// Every worker waits in an epoll instance of its own, and the kernel wakes one of them per connection (EPOLLEXCLUSIVE). There
/// is no lock around accepting, so a worker held up by a silent peer holds up nobody else.
final class Worker: Sendable {
    private let shared: SharedState
    private let exchange: Exchange
    private let epoll: Int32

    init(shared: SharedState, exchange: Exchange) throws(FastCGIError) {
        self.shared = shared
        self.exchange = exchange
        epoll = try checkCall("epoll_create1", quire_epoll_create())
        _ = try checkCall("epoll_ctl", quire_epoll_watch(epoll, shared.listeningDescriptor, 1))
        _ = try checkCall("epoll_ctl", quire_epoll_watch(epoll, shared.stopEvent, 0))
    }

    deinit { close(epoll) }

    func run() {
        var pause = Pause()
        while !shared.isStopping {
            // Trying first saves a call to epoll whenever there is enough to do.
            let connection = quire_accept(shared.listeningDescriptor)
            if connection >= 0 {
                pause = Pause()
                shared.connectionAccepted()
                exchange.run(on: connection)
                continue
            }
            switch errno {
            case EAGAIN:
                waitForConnection()
            case EINTR, ECONNABORTED:
                continue
            default:
                // No descriptors or no memory left: they come back when somebody else is done. The connection stays queued,
                // so waiting for it would spin.
                pause.wait(unless: shared.stopEvent)
            }
        }
        shared.workerFinished()
    }

    /// Returns when there may be a connection or the server stops; whoever calls looks again.
    private func waitForConnection() {
        let ready = quire_epoll_wait(epoll)
        precondition(ready >= 0 || errno == EINTR, "an epoll instance of our own can be waited for")
    }
}

/// A pause that doubles from 10 ms to 640 ms.
private struct Pause {
    private var milliseconds: Int32 = 10

    mutating func wait(unless event: Int32) {
        var waiting = pollfd(fd: event, events: Int16(POLLIN), revents: 0)
        poll(&waiting, 1, milliseconds)
        milliseconds = min(milliseconds * 2, 640)
    }
}

/// The result of a system call that returns -1 and sets errno on failure.
func checkCall(_ name: String, _ result: Int32) throws(FastCGIError) -> Int32 {
    guard result >= 0 else { throw .systemCallFailed(call: name, errno: errno) }
    return result
}
