import CPlatform
import Glibc

/// One worker: waits for a connection, serves it, again until the server stops.
///
/// The kernel tells one of the workers that wait of a connection, who has the next one told when it has taken it. There is no lock
/// around accepting, so a worker held up by a silent peer holds up nobody else; and one that waits takes no descriptor.
struct Worker: Sendable {
    let shared: SharedState
    let exchange: Exchange

    func run() {
        var pause = Pause()
        var isCalled = false
        while !shared.isStopping {
            // Trying first saves a call to epoll whenever there is enough to do.
            let connection = quire_accept(shared.listeningDescriptor)
            let failure = errno
            if isCalled { shared.callNext() }
            isCalled = false
            if connection >= 0 {
                pause = Pause()
                shared.connectionAccepted()
                exchange.run(on: connection)
                continue
            }
            switch failure {
            case EAGAIN:
                isCalled = shared.waitForConnection()
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
