import Glibc
import Synchronization

/// A thread whose waits can be interrupted by a signal, as those within a timeout of a socket are when the process is halted and goes on.
struct Interruptible: Sendable {
    private let thread = pthread_self()

    /// On the thread itself, which lets the signal through from here on.
    init() {
        signal(SIGUSR2) { _ in handled.add(1, ordering: .relaxed) }
        var open = sigset_t()
        sigemptyset(&open)
        sigaddset(&open, SIGUSR2)
        pthread_sigmask(SIG_UNBLOCK, &open, nil)
    }

    /// Returns when the thread, which has to be there still, has handled the signal, or that of a test beside it another one.
    func interrupt() {
        let before = handled.load(ordering: .relaxed)
        pthread_kill(thread, SIGUSR2)
        while handled.load(ordering: .relaxed) == before { sched_yield() }
    }
}

private let handled = Atomic(0)
