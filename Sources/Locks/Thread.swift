import CPlatform
import Glibc

/// A POSIX thread. Work that blocks belongs on one, never in Swift's concurrency pool, which it would starve.
///
/// SIGTERM, SIGINT and SIGHUP are blocked in it, they are for the thread that waits for them; so is SIGXFSZ, which makes a file at
/// its size limit an error of `write` and not the end of the process. SIGUSR1 is open, whatever its creator's mask: Swift's crash
/// handler stops the other threads with it.
package struct Thread: Sendable {
    /// `pthread_create` and its helpers return an errno value.
    package struct StartFailed: Error, Equatable {
        package let errno: Int32
    }

    private let identifier: pthread_t

    private final class Work: Sendable {
        let name: String
        let niceness: Int32
        let body: @Sendable () -> Void

        init(name: String, niceness: Int32, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.niceness = niceness
            self.body = body
        }
    }

    /// Runs `body` on a new thread. `join` or `detach` it once.
    ///
    /// - Parameters:
    ///   - name: what debuggers show; the first 15 bytes count.
    ///   - stackBytes: at least 16 KiB; `nil`: the system's default.
    ///   - niceness: how far its priority is below its creator's; 19 is the lowest there is.
    package init(
        _ name: String, stackBytes: Int? = nil, niceness: Int32 = 0, _ body: @escaping @Sendable () -> Void
    ) throws(StartFailed) {
        var attributes = pthread_attr_t()
        try check(pthread_attr_init(&attributes))
        defer { pthread_attr_destroy(&attributes) }
        if let stackBytes { try check(pthread_attr_setstacksize(&attributes, stackBytes)) }

        // A thread inherits the mask of its creator, so there is no moment in which it has the wrong one.
        var blocked = sigset_t()
        var previous = sigset_t()
        sigemptyset(&blocked)
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGXFSZ] { sigaddset(&blocked, signal) }
        pthread_sigmask(SIG_BLOCK, &blocked, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }

        var identifier = pthread_t()
        let work = Unmanaged.passRetained(Work(name: name, niceness: niceness, body: body))
        let code = pthread_create(
            &identifier, &attributes,
            { argument in
                // The retain above is taken over here; pthread_create passes the pointer on unchanged.
                let work = Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue()
                // Linux keeps a niceness for each thread (nice(2)). Lowering a priority is always allowed. A thread that has its name
                // has its priority already.
                if work.niceness > 0 { nice(work.niceness) }
                quire_name_thread(work.name)
                var open = sigset_t()
                sigemptyset(&open)
                sigaddset(&open, SIGUSR1)
                pthread_sigmask(SIG_UNBLOCK, &open, nil)
                work.body()
                return nil
            }, work.toOpaque())
        if code != 0 { work.release() }
        try check(code)
        self.identifier = identifier
    }

    /// Waits until the thread has ended.
    package func join() {
        let code = pthread_join(identifier, nil)
        precondition(code == 0, "pthread_join failed with \(code)")
    }

    /// Lets the thread end by itself.
    package func detach() {
        let code = pthread_detach(identifier)
        precondition(code == 0, "pthread_detach failed with \(code)")
    }
}

private func check(_ code: Int32) throws(Thread.StartFailed) {
    guard code == 0 else { throw Thread.StartFailed(errno: code) }
}
