import CPlatform
import Glibc

/// A thread of its own, to be joined once.
struct DedicatedThread: Sendable {
    private let identifier: pthread_t

    private final class Work: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs `body` on a new thread. The signals that end or reload a process are left to the threads that handle them; SIGXFSZ is
    /// blocked, so that a file at its size limit is an error of `write` and not the end of the process. SIGUSR1 stays open.
    init(name: String, body: @escaping @Sendable () -> Void) throws(StorageError) {
        var blocked = sigset_t()
        var previous = sigset_t()
        sigemptyset(&blocked)
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGXFSZ] { sigaddset(&blocked, signal) }
        // A thread inherits the mask of its creator, so there is no moment in which it has the wrong one.
        pthread_sigmask(SIG_BLOCK, &blocked, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }

        var identifier = pthread_t()
        let work = Unmanaged.passRetained(Work(name: name, body: body))
        let code = pthread_create(
            &identifier, nil,
            { argument in
                // The retain above is the one taken over here; pthread_create passes the pointer on unchanged.
                let work = Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue()
                quire_name_thread(work.name)
                work.body()
                return nil
            }, work.toOpaque())
        guard code == 0 else {
            work.release()
            throw .ioFailed(operation: "pthread_create", path: name, errno: code)
        }
        self.identifier = identifier
    }

    /// Waits until the thread has ended.
    func join() {
        let code = pthread_join(identifier, nil)
        precondition(code == 0, "pthread_join failed with \(code)")
    }
}
