import CFastCGI
import Glibc
package import HTTP
import Locks
import Synchronization

/// Serves HTTP requests that arrive from nginx over FastCGI on a unix socket, on threads of its own.
///
/// One connection carries one request: nginx must not be told to keep connections. A peer that breaks off or falls silent
/// costs its connection and one worker for `headTimeout` or `socketTimeout`, nothing else. The one thing no setting guards
/// against is a record with an absurd name length, on which libfcgi itself ends the process; so only nginx may reach the socket,
/// and a supervisor stands by.
///
/// Neither of libfcgi's traps for signals stays set: its handlers for SIGTERM and SIGUSR1 are put back to what was there, and
/// SIGPIPE is ignored for the whole process. `FCGI_WEB_SERVER_ADDRS`, which libfcgi reads, concerns TCP only.
package final class FastCGIServer: Sendable {
    /// Chooses what answers a request, whose body has not been read yet, and in which line it waits for a turn. It is called, and then
    /// answers, on a worker thread; many at one time.
    package typealias Route = @Sendable (Request) -> Destination
    /// Answers a request that must not be executed. What could be read of it is there for the id, the method and the path.
    package typealias RejectionHandler = @Sendable (RequestRejection, Request) -> Response

    private let configuration: FastCGIConfiguration
    private let route: Route
    private let rejected: RejectionHandler
    private let shared: SharedState
    private let wasStarted = Atomic<Bool>(false)

    /// Checks the socket and libfcgi; accepts nothing yet.
    package init(
        configuration: FastCGIConfiguration, rejected: @escaping RejectionHandler, route: @escaping Route
    ) throws(FastCGIError) {
        self.configuration = configuration
        self.route = route
        self.rejected = rejected
        try Self.prepare(configuration.listeningDescriptor)
        let code = Self.libraryCode
        guard code == 0 else { throw .libraryFailed(code: code) }
        let admission = AdmissionQueue(
            turns: configuration.workerThreads, waiting: configuration.queueLimit, longestWait: configuration.queueTimeout)
        shared = try SharedState(listeningDescriptor: configuration.listeningDescriptor, admission: admission)
    }

    /// Starts the worker threads and returns at once. A server can be started once.
    package func start() throws(FastCGIError) {
        guard !wasStarted.exchange(true, ordering: .relaxed) else { throw .alreadyStarted }
        let exchange = Exchange(configuration: configuration, route: route, rejected: rejected, shared: shared)
        let worker = Worker(shared: shared, exchange: exchange)
        shared.workersWillStart(configuration.threads)
        for index in 0..<configuration.threads {
            do throws(Thread.StartFailed) {
                try Thread("quire-worker", stackBytes: configuration.stackBytes) { worker.run() }.detach()
            } catch {
                for _ in index..<configuration.threads { shared.workerFinished() }
                shared.stop()
                throw .systemCallFailed(call: "pthread_create", errno: error.errno)
            }
        }
    }

    /// How busy it is now.
    package var load: TransportLoad { shared.load(workers: configuration.workerThreads, waitingLimit: configuration.queueLimit) }

    /// Stops accepting and waits for the requests that run. Returns true if all were answered within `limit`; otherwise some
    /// still run when this returns. Connections not yet accepted stay in the socket for whoever holds it next.
    package func stop(drainingFor limit: Duration) -> Bool {
        shared.stop()
        return shared.waitUntilFinished(atMost: limit)
    }

    private static func prepare(_ descriptor: Int32) throws(FastCGIError) {
        guard option(SO_ACCEPTCONN, of: descriptor) == 1 else { throw .notListening(descriptor: descriptor) }
        guard option(SO_DOMAIN, of: descriptor) == AF_UNIX else { throw .notUnixSocket(descriptor: descriptor) }
        // Between epoll and accept another worker may have taken the connection. What a handler executes must not get it.
        let flags = try checkCall("fcntl", fcntl(descriptor, F_GETFL))
        _ = try checkCall("fcntl", fcntl(descriptor, F_SETFL, flags | O_NONBLOCK))
        _ = try checkCall("fcntl", fcntl(descriptor, F_SETFD, FD_CLOEXEC))
    }

    /// A socket option; nil when the descriptor is no socket.
    private static func option(_ name: CInt, of descriptor: Int32) -> CInt? {
        var value: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
    }

    /// Initialises libfcgi, once for the process.
    private static let libraryCode: CInt = {
        var terminate = sigaction()
        var user = sigaction()
        sigaction(SIGTERM, nil, &terminate)
        sigaction(SIGUSR1, nil, &user)
        let code = FCGX_Init()
        // With libfcgi's handlers, SIGTERM would make a naive accept loop spin for ever instead of ending the process.
        sigaction(SIGTERM, &terminate, nil)
        sigaction(SIGUSR1, &user, nil)
        // A client that left shows as a failed write.
        signal(SIGPIPE, SIG_IGN)
        return code
    }()
}
