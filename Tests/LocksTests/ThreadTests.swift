import FoundationEssentials
import Glibc
import Locks
import TestSupport
import Testing

@Suite("Threads")
struct ThreadTests {
    @Test("a joined thread has done its work")
    func joins() throws {
        let isDone = Shared(false)

        let thread = try Thread("worker") { isDone.set(true) }
        thread.join()

        #expect(isDone.current)
    }

    @Test("a detached thread goes on, and what it holds goes with it")
    func detaches() throws {
        let (mayEnd, hasEnded) = (Shared(false), Shared(false))
        final class Held: Sendable {
            let gone: Shared<Bool>
            init(_ gone: Shared<Bool>) { self.gone = gone }
            deinit { gone.set(true) }
        }
        let gone = Shared(false)

        let held = Held(gone)
        try Thread("worker") {
            mayEnd.wait { $0 }
            withExtendedLifetime(held) { hasEnded.set(true) }
        }.detach()

        #expect(!hasEnded.current)
        mayEnd.set(true)
        hasEnded.wait { $0 }
        withExtendedLifetime(held) { #expect(!gone.current, "the test holds it too") }
    }

    @Test("a finished thread lets go of its closure")
    func releases() throws {
        final class Held: Sendable {}
        weak var released: Held?

        do {
            let held = Held()
            released = held
            let thread = try Thread("worker") { withExtendedLifetime(held) {} }
            thread.join()
        }

        #expect(released == nil)
    }

    @Test(
        "has its name, of which fifteen bytes count",
        arguments: [("w", "w"), ("fifteen-letters", "fifteen-letters"), ("sixteen-letters-", "sixteen-letters"), ("", "")])
    func names(name: String, shown: String) throws {
        let found = Shared("")

        try Thread(name) {
            found.set(FileManager.default.contents(atPath: "/proc/thread-self/comm").map { String(decoding: $0, as: UTF8.self) } ?? "")
        }.join()

        #expect(found.current == shown + "\n")
    }

    @Test("blocks the signals that end the process and keeps SIGUSR1 open, whatever its creator blocks, which goes on as it was")
    func signals() throws {
        let seen = Shared<[[Int32]]>([])

        try Thread("creator") {
            var mask = sigset_t()
            sigemptyset(&mask)
            sigaddset(&mask, SIGUSR1)
            sigaddset(&mask, SIGWINCH)
            pthread_sigmask(SIG_SETMASK, &mask, nil)
            do {
                try Thread("worker") { seen.update { $0.append(Self.blockedSignals()) } }.join()
            } catch {
                Issue.record(error)
            }
            seen.update { $0.append(Self.blockedSignals()) }
        }.join()

        #expect(seen.current == [[SIGHUP, SIGINT, SIGTERM, SIGXFSZ, SIGWINCH], [SIGUSR1, SIGWINCH]])
    }

    private static func blockedSignals() -> [Int32] {
        var mask = sigset_t()
        pthread_sigmask(SIG_BLOCK, nil, &mask)
        return (1..<32).filter { sigismember(&mask, $0) == 1 }
    }

    @Test("runs at the lower priority it was given, and its creator goes on at its own")
    func niceness() throws {
        let found = Shared<Int32>(-1)
        let which = __priority_which_t(PRIO_PROCESS.rawValue)
        let own = getpriority(which, 0)

        try Thread("worker", niceness: min(own + 7, 19)) { found.set(getpriority(which, 0)) }.join()

        #expect(found.current == min(own + 7, 19))
        #expect(getpriority(which, 0) == own)
    }

    @Test("has the stack it was given")
    func stack() throws {
        let size = Shared(0)

        try Thread("worker", stackBytes: 96 << 20) {
            var local: UInt8 = 0
            let address = withUnsafePointer(to: &local) { UInt(bitPattern: $0) }
            // The stack is the mapping that a local variable lies in: "7f00-7f80 rw-p ...".
            let maps = FileManager.default.contents(atPath: "/proc/self/maps").map { String(decoding: $0, as: UTF8.self) } ?? ""
            for line in maps.split(separator: "\n") {
                let bounds = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
                if bounds.count == 2, bounds[0] <= address, address < bounds[1] { size.set(Int(bounds[1] - bounds[0])) }
            }
        }.join()

        #expect(size.current >= 96 << 20)
    }

    @Test(
        "an absurd stack is an error that says why, and the closure is let go", arguments: [(0, EINVAL), (1024, EINVAL), (1 << 46, EAGAIN)])
    func absurdStack(bytes: Int, code: Int32) {
        final class Held: Sendable {}
        weak var released: Held?

        do {
            let held = Held()
            released = held
            let error = #expect(throws: Thread.StartFailed.self) {
                try Thread("worker", stackBytes: bytes) { withExtendedLifetime(held) {} }
            }
            #expect(error?.errno == code)
        }

        #expect(released == nil)
    }
}
