import CPlatform
import Glibc

/// What a responder owes the supervisor that started it. Without a supervisor, both do nothing.
package enum SupervisedProcess {
    /// Asks the kernel for a SIGTERM when the supervisor dies, however it does, and exits at once if it has died already.
    /// To be called first thing: posix_spawn cannot do it for the child.
    package static func exitWithParent() {
        if !sharesFate(with: supervisor) { exit(0) }
    }

    /// Tells the supervisor that connections are accepted from now on. Until it hears that, it closes those that wait too long.
    package static func reportServing() {
        report(to: supervisor, on: servingDescriptor)
    }

    /// Says so in the child's environment, because a parent of 1 may be an init that adopted the child, or the supervisor.
    static let supervisorVariable = "QUIRE_SUPERVISOR_PID"
    /// Where a child finds the pipe to its supervisor.
    private static let servingDescriptor: Int32 = 3

    private static var supervisor: pid_t? {
        getenv(supervisorVariable).flatMap { pid_t(String(cString: $0)) }
    }

    /// Returns false when the supervisor is not there any more.
    static func sharesFate(with supervisor: pid_t?) -> Bool {
        guard let supervisor else { return true }
        let result = quire_set_parent_death_signal(SIGTERM)
        precondition(result == 0, "SIGTERM is a signal")
        // It may have died before the kernel was asked.
        return getppid() == supervisor
    }

    static func report(to supervisor: pid_t?, on descriptor: Int32) {
        // Without a supervisor the descriptor is somebody else's.
        guard supervisor == getppid() else { return }
        var byte: UInt8 = 1
        // If the supervisor died just now its SIGTERM is on the way, and nobody is left to be told.
        _ = write(descriptor, &byte, 1)
        close(descriptor)
    }
}
