import CPlatform
import Glibc

/// A running responder: a child process with the listening socket as its descriptor 0.
final class ChildProcess {
    let identifier: pid_t
    let startedAt = ContinuousClock.now
    /// Readable when the process has ended.
    let end: Descriptor
    /// Readable when the process has said whether it serves; nil once it has been heard.
    private(set) var serving: Descriptor?
    private(set) var hasServed = false

    enum StartError: Error, Equatable {
        /// Starting again will not help.
        case executableUnusable(errno: Int32)
        /// The system lacks something at the moment, such as memory or descriptors.
        case resourcesMissing(errno: Int32)
    }

    init(executable: String, arguments: [String], environment: [String], socket: Int32) throws(StartError) {
        var ends: [Int32] = [-1, -1]
        guard quire_pipe(&ends) == 0 else { throw .resourcesMissing(errno: errno) }
        let (reading, writing) = (Descriptor(ends[0]), Descriptor(ends[1]))
        defer { withExtendedLifetime(writing) {} }
        var child = pid_t()
        let error = withCStrings([executable] + arguments) { arguments in
            withCStrings(environment) { quire_spawn(&child, executable, arguments, $0, socket, writing.number) }
        }
        switch error {
        case 0: break
        case EAGAIN, ENOMEM, EMFILE, ENFILE: throw .resourcesMissing(errno: error)
        default: throw .executableUnusable(errno: error)
        }
        let end = quire_process_descriptor(child)
        guard end >= 0 else {
            let error = errno
            // Nobody could say when it ends, so it must not live.
            kill(child, SIGKILL)
            _ = quire_process_wait(child)
            throw .resourcesMissing(errno: error)
        }
        identifier = child
        self.end = Descriptor(end)
        serving = reading
    }

    func send(_ signal: Int32) { kill(identifier, signal) }

    /// How the process ended; waits for that. To be called once: afterwards the identifier may be somebody else's.
    func waitForExit() -> ChildExit {
        let status = quire_process_wait(identifier)
        return status < 0 ? .signal(-status) : .code(status)
    }

    /// Whether the process has said that it serves. One that closed the pipe without a word will not say it any more.
    func hearWhetherItServes() -> Bool {
        guard let descriptor = serving else { return false }
        serving = nil
        var byte: UInt8 = 0
        hasServed = read(descriptor.number, &byte, 1) == 1
        return hasServed
    }
}

/// Calls `body` with `strings` as exec takes them.
private func withCStrings<Result>(_ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result) -> Result {
    let copies = strings.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    return body(copies)
}
