import Glibc

/// Starts detached POSIX threads for workers.
enum WorkerThread {
    /// Runs `body` on a new thread with a stack of `stackBytes`.
    ///
    /// SIGTERM, SIGINT and SIGHUP are blocked in it, because libfcgi does not retry an interrupted call. SIGUSR1 stays open:
    /// Swift's crash handler stops the other threads with it.
    static func start(stackBytes: Int, _ body: @escaping @Sendable () -> Void) throws(FastCGIError) {
        var attributes = pthread_attr_t()
        try check("pthread_attr_init", pthread_attr_init(&attributes))
        defer { pthread_attr_destroy(&attributes) }
        try check("pthread_attr_setstacksize", pthread_attr_setstacksize(&attributes, stackBytes))
        try check("pthread_attr_setdetachstate", pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED)))

        // A thread begins with the mask of the one that makes it, so there is no moment at which it is open.
        var before = sigset_t()
        try check("pthread_sigmask", pthread_sigmask(SIG_BLOCK, nil, &before))
        var during = before
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&during, signal) }
        sigdelset(&during, SIGUSR1)
        try check("pthread_sigmask", pthread_sigmask(SIG_SETMASK, &during, nil))
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

        let boxed = Unmanaged.passRetained(Body(run: body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, boxed.toOpaque())
        if result != 0 { boxed.release() }
        try check("pthread_create", result)
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// pthread functions return their error instead of setting errno.
    private static func check(_ call: String, _ error: CInt) throws(FastCGIError) {
        guard error == 0 else { throw .systemCallFailed(call: call, errno: error) }
    }
}
