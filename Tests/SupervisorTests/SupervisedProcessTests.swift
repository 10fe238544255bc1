import CPlatform
import Glibc
import Testing

@testable import Supervisor

@Suite struct SupervisedProcessTests {
    @Test("without a supervisor neither call does anything")
    func doesNothingAlone() {
        SupervisedProcess.exitWithParent()
        SupervisedProcess.reportServing()

        #expect(quire_parent_death_signal() == 0)
        #expect(SupervisedProcess.sharesFate(with: nil))
    }

    @Test("a responder whose supervisor is gone does not go on; one whose supervisor lives gets SIGTERM when it dies")
    func sharesFateWithSupervisor() {
        // The kernel keeps the wish for each thread; these lines share one.
        #expect(SupervisedProcess.sharesFate(with: getppid()))
        #expect(quire_parent_death_signal() == SIGTERM)
        #expect(!SupervisedProcess.sharesFate(with: getpid()))
        quire_set_parent_death_signal(0)
        #expect(quire_parent_death_signal() == 0)
    }

    @Test("says that it serves with one byte to its supervisor and nobody else, and closes the pipe")
    func reportsServing() {
        var ends: [Int32] = [0, 0]
        #expect(quire_pipe(&ends) == 0)

        SupervisedProcess.report(to: nil, on: ends[1])
        SupervisedProcess.report(to: getppid(), on: ends[1])

        var bytes = [UInt8](repeating: 0, count: 8)
        #expect(read(ends[0], &bytes, 8) == 1)
        #expect(read(ends[0], &bytes, 8) == 0)
        close(ends[0])
    }
}

@Suite struct BackoffTests {
    @Test("doubles up to the longest pause, and begins anew after a steady run")
    func doubles() {
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(2), steadyAfter: .seconds(30))

        let pauses = (0..<7).map { _ in backoff.pause(afterRunning: .seconds(1)) }

        #expect(pauses == [100, 200, 400, 800, 1600, 2000, 2000].map { .milliseconds($0) })
        #expect(backoff.pause(afterRunning: .seconds(30)) == .milliseconds(100))
        #expect(backoff.pause(afterRunning: .seconds(29)) == .milliseconds(200))
    }
}

@Suite struct ChildExitTests {
    @Test("only 65, 75 and 78 are final")
    func finalCodes() {
        let codes = (0..<256).map(Int32.init).filter { ChildExit.code($0).isFinal }

        #expect(codes == [65, 75, 78])
        #expect(!ChildExit.signal(75).isFinal)
    }

    @Test("tells signals by name")
    func namesSignals() {
        #expect("\(ChildExit.signal(SIGKILL))" == "signal 9 (SIGKILL)")
        #expect("\(ChildExit.signal(100))" == "signal 100 (unknown)")
    }
}
