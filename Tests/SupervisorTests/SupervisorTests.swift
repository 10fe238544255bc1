import CPlatform
import Glibc
import Logging
import TestSupport
import Testing

@testable import Supervisor

@Suite(.timeLimit(.minutes(10))) struct SupervisorTests {
    /// Tells the test its process and its listening socket, and that it serves; ends by SIGTERM.
    private let responder = "echo $$ $(readlink /proc/$$/fd/0) > $news; serving; exec sleep 1000"

    @Test("starts a responder again that crashes or fails, and says why it ended")
    func restartsFailedResponders() {
        let fixture = SupervisorFixture(
            "n=$(cat $count 2>/dev/null); echo x$n > $count; case $n in '') kill -SEGV $$;; x) exit 70;; xx) exit 3;; xxx) exit 0;; esac; "
                + responder)
        fixture.start()

        #expect(fixture.news().count == 2)
        #expect(fixture.stop() == 0)

        for reason in ["signal 11 (SIGSEGV)", "exit code 70: its storage failed", "exit code 3;", "exit code 0;"] {
            #expect(fixture.log.contains(reason), "\(fixture.log.lines)")
        }
        #expect(fixture.log.contains("starting it again in 0.004 seconds"))
        #expect(fixture.mode("run/socket") == nil)
    }

    @Test(
        "does not start a responder again that says it is of no use, and takes its exit code and the socket away",
        arguments: [
            (65 as Int32, "refuses its data"), (75, "locked"), (78, "configuration"),
        ])
    func endsWithFinalCodes(code: Int32, reason: String) {
        let fixture = SupervisorFixture("echo x >> $count; exit \(code)")

        #expect(fixture.run() == code)

        #expect(fixture.mode("run/socket") == nil)
        #expect(fixture.log.contains("critical: the responder ended with exit code \(code)"))
        #expect(fixture.log.contains(reason))
        #expect(fixture.log.lines.count { $0.contains("started the responder") } == 1)
    }

    @Test("a responder that replaces a killed one gets the same socket, and the connections that wait in it")
    func keepsSocketAcrossResponders() throws {
        let fixture = SupervisorFixture(responder)
        fixture.start()
        let first = fixture.news()
        let inode = fixture.mode("run/socket")
        let waiting = fixture.connect()

        kill(try #require(pid_t(first[0])), SIGKILL)
        let second = fixture.news()

        #expect(first[1].hasPrefix("socket:"))
        #expect(second[1] == first[1])
        #expect(second[0] != first[0])
        #expect(inode != nil && fixture.mode("run/socket") == inode)
        #expect(!isClosed(waiting, within: 0))
        #expect(fixture.stop() == 0)
        #expect(fixture.log.contains("signal 9 (SIGKILL)"))
        #expect(isClosed(waiting))
        close(waiting)
    }

    @Test("passes SIGTERM and SIGINT on, lets the responder finish, and removes the socket", arguments: [SIGTERM, SIGINT])
    func stopsGracefully(signal: Int32) {
        let fixture = SupervisorFixture("trap 'echo drained > $news; exit 0' TERM; echo up > $news; while :; do sleep 0.01; done")
        fixture.start()
        #expect(fixture.news() == ["up"])

        fixture.command(signal)
        fixture.command(SIGHUP)

        #expect(fixture.news() == ["drained"])
        #expect(fixture.wait() == 0)
        #expect(fixture.mode("run/socket") == nil)
    }

    @Test("kills a responder that does not stop in time")
    func killsStubbornResponders() {
        let fixture = SupervisorFixture("trap '' TERM; echo up > $news; while :; do sleep 0.01; done") { $0.stopLimit = .milliseconds(20) }
        fixture.start()
        #expect(fixture.news() == ["up"])

        #expect(fixture.stop() == 0)

        #expect(fixture.log.contains("did not stop in time"))
        #expect(fixture.log.contains("signal 9 (SIGKILL) when it was stopped"))
    }

    @Test("SIGHUP replaces the responder at once and keeps the socket", arguments: [false, true])
    func replacesResponder(isStubborn: Bool) {
        let script = isStubborn ? "trap '' TERM; " : ""
        let fixture = SupervisorFixture(script + "echo $$ $(readlink /proc/$$/fd/0) > $news; while :; do sleep 0.01; done") {
            $0.firstPause = .seconds(1000)
            $0.longestPause = .seconds(1000)
            $0.stopLimit = isStubborn ? .milliseconds(20) : .seconds(20)
        }
        fixture.start()
        let first = fixture.news()

        fixture.command(SIGHUP)
        let second = fixture.news()

        #expect(second[0] != first[0])
        #expect(second[1] == first[1])
        #expect(fixture.log.contains("when it was replaced"))
        fixture.command(SIGHUP)
        #expect(fixture.stop() == 0)
    }

    @Test("a responder that served and ends without an error is followed by another, and no pause grows from that")
    func followsFinishedResponder() throws {
        let fixture = SupervisorFixture(
            "serving; trap 'exit 0' TERM; echo $$ > $news; while :; do sleep 0.01; done"
        ) {
            $0.firstPause = .milliseconds(1)
            $0.longestPause = .seconds(1000)
        }
        fixture.start()

        // Doubled as often, the pause would be longer than this test may take.
        for _ in 0..<17 { kill(try #require(pid_t(fixture.news()[0])), SIGTERM) }

        #expect(fixture.news().count == 1)
        #expect(fixture.stop() == 0)
        #expect(fixture.log.contains("notice: the responder finished"))
        #expect(!fixture.log.lines.contains { $0.hasPrefix("error") || $0.hasPrefix("warning") })
    }

    @Test("a responder that serves and ends at once, again and again, does not take the machine")
    func pacesFinishingResponders() {
        let fixture = SupervisorFixture("serving; echo up > $news") {
            $0.firstPause = .milliseconds(40)
            $0.longestPause = .milliseconds(40)
        }
        let start = ContinuousClock.now
        fixture.start()

        for _ in 0..<4 { #expect(fixture.news() == ["up"]) }

        #expect(.now - start >= .milliseconds(3 * 40))
        #expect(fixture.stop() == 0)
    }

    @Test("a responder that is being replaced can still say that another would be of no use")
    func endsWithFinalCodeDuringReplacement() {
        let fixture = SupervisorFixture("trap 'exit 75' TERM; echo up > $news; while :; do sleep 0.01; done")
        fixture.start()
        #expect(fixture.news() == ["up"])

        fixture.command(SIGHUP)

        #expect(fixture.wait() == 75)
    }

    @Test("SIGHUP ends a pause, SIGTERM ends the supervisor within one")
    func followsCommandsDuringPause() {
        let fixture = SupervisorFixture("echo up > $news; exit 1") {
            $0.firstPause = .seconds(1000)
            $0.longestPause = .seconds(1000)
        }
        fixture.start()
        #expect(fixture.news() == ["up"])

        while !fixture.log.contains("starting it again") { sched_yield() }
        fixture.command(SIGHUP)

        #expect(fixture.news() == ["up"])
        while fixture.log.lines.count(where: { $0.contains("starting it again") }) < 2 { sched_yield() }
        #expect(fixture.stop() == 0)
    }

    @Test(
        "a connection is closed when no responder serves it in time: none runs, or one that never came up",
        arguments: [
            "exit 1", "exec sleep 1000", "exec 3>&-; exec sleep 1000",
        ])
    func closesUnservedConnections(script: String) {
        let fixture = SupervisorFixture("echo up > $news; " + script) {
            $0.firstPause = .seconds(1000)
            $0.longestPause = .seconds(1000)
            $0.longestWait = .milliseconds(30)
        }
        fixture.start()
        #expect(fixture.news() == ["up"])

        for _ in 0..<3 {
            let connection = fixture.connect()
            #expect(isClosed(connection))
            close(connection)
        }

        #expect(fixture.stop() == 0)
        #expect(fixture.log.contains("closed connections that nobody served"))
    }

    @Test("a connection is left to a responder that serves, however long it takes")
    func leavesConnectionsToServingResponder() {
        let fixture = SupervisorFixture("serving; exec 3>&-; echo up > $news; exec sleep 1000") { $0.longestWait = .milliseconds(150) }
        fixture.start()
        #expect(fixture.news() == ["up"])

        let connection = fixture.connect()

        #expect(!isClosed(connection, within: 400))
        #expect(fixture.stop() == 0)
        close(connection)
    }

    @Test("a responder gets its environment, an open signal mask, its own process group and nothing else of ours")
    func startsResponderClean() throws {
        let fixture = SupervisorFixture(
            "echo $A $LISTEN_FDS $QUIRE_SUPERVISOR_PID $(grep -E 'Sig(Blk|Ign)' /proc/$$/status) $(cut -d' ' -f5 /proc/$$/stat) $$ "
                + "$(ls /proc/$$/fd) > $news; exec sleep 1000"
        ) { $0.environment = ["A": "a", "LISTEN_FDS": "1", "PATH": "/usr/bin:/bin", "QUIRE_SUPERVISOR_PID": "1"] }
        let inheritable = fcntl(2, F_DUPFD, 100)
        fixture.start()

        let news = fixture.news()

        #expect(news.prefix(4) == ["a", "\(getpid())", "SigBlk:", "0000000000000000"])
        // glibc leaves its own signals 32 and 33 ignored.
        #expect(try #require(UInt64(news[5], radix: 16)) & 0x7fff_ffff == 0)
        #expect(news[6] == news[7])
        #expect(Set(["0", "1", "2", "3"]).isSubset(of: news[8...]))
        #expect(!news[8...].contains("\(inheritable)"))
        close(inheritable)
        #expect(fixture.stop() == 0)
    }

    @Test("passes its own environment on when none is configured")
    func passesEnvironmentOn() {
        let fixture = SupervisorFixture("echo $PATH > $news; exec sleep 1000")
        fixture.start()

        #expect(fixture.news() == [String(cString: getenv("PATH"))])
        #expect(fixture.stop() == 0)
    }

    @Test("runs the responder on the socket that systemd passes on, and makes none")
    func usesInheritedSocket() throws {
        let fixture = SupervisorFixture(responder)
        let listening = listenSocket(fixture.directory.path + "/socket")
        var status = stat()
        fstat(listening, &status)
        let inode = status.st_ino
        fixture.start { fixture in
            let variables = ["LISTEN_FDS": "1", "LISTEN_PID": "\(getpid())"]
            var supervisor = fixture.supervisor
            supervisor.systemdVariable = { variables[$0] }
            supervisor.systemdDescriptor = listening
            return fixture.run(supervisor)
        }

        #expect(fixture.news().last == "socket:[\(inode)]")
        #expect(fixture.stop() == 0)

        #expect(fixture.mode("run/socket") == nil)
        #expect(fixture.mode("socket") != nil)
    }

    @Test("an executable that cannot be executed is a mistake in the configuration", arguments: ["/nonexistent/responder", "/dev/null"])
    func refusesUnusableExecutable(path: String) {
        let fixture = SupervisorFixture("") { $0.executable = path }

        #expect(fixture.run() == 78)

        #expect(fixture.log.contains("critical: the responder cannot be executed: \(path)"))
        #expect(fixture.mode("run/socket") == nil)
    }

    @Test("follows the real signals of its process, which only one supervisor can")
    func followsSignals() {
        let fixture = SupervisorFixture(responder)
        fixture.start { $0.supervisor.run() }
        let first = fixture.news()

        #expect(SupervisorFixture("exit 0").supervisor.run() == 71)
        kill(getpid(), SIGHUP)
        let second = fixture.news()
        kill(getpid(), SIGTERM)

        #expect(fixture.wait() == 0)
        #expect(first[0] != second[0])
        #expect(first[1] == second[1])
    }
}
