import FoundationEssentials
import TestSupport
import Testing

@testable import Settings

@Suite("nginx, reloading")
struct ReloadTests {
    @Test("refuses no new connection and answers nothing with 5xx, five times under load (D4)")
    func underLoad() throws {
        let nginx = try RunningNginx()
        let responder = try AnsweringResponder(path: nginx.runDirectory.socketPath)
        let isOver = Shared(false)
        let answered = Shared(0)
        let clients = (0..<8).map { _ in
            Background {
                var statuses: [Int: Int] = [:]
                // No reply at all is 0.
                while !isOver.current {
                    statuses[(try? nginx.send("GET", "/v1/libraries").status) ?? 0, default: 0] += 1
                    answered.update { $0 += 1 }
                }
                return statuses
            }
        }

        var settings = nginx.settings
        for round in 1...5 {
            settings.corsAllowedOrigins = [try #require(Origin("https://round-\(round).example"))]
            try nginx.reload(settings)
            try waitUntilItSays("https://round-\(round).example", nginx)
            // However slow the clients are, there are some before the next one.
            answered.wait { $0 > 50 * round }
        }
        isOver.set(true)

        var statuses: [Int: Int] = [:]
        for client in clients { statuses.merge(try client.value()) { $0 + $1 } }
        report("replies during five reloads", "\(statuses)")
        #expect(Set(statuses.keys) == [200])
        #expect(statuses[200]! > 200)
        withExtendedLifetime(responder) {}
    }

    private func waitUntilItSays(_ origin: String, _ nginx: RunningNginx) throws {
        let deadline = ContinuousClock.now + .seconds(300)
        while try nginx.get("/v1/libraries", headers: "Origin: \(origin)\r\n").headers("access-control-allow-origin") != [origin] {
            try #require(ContinuousClock.now < deadline, "not taken up")
        }
    }

    @Test("says so when no nginx runs there")
    func notRunning() throws {
        let nginx = try RunningNginx()
        nginx.stop()

        let error = #expect(throws: SettingsError.self) { try nginx.reload(nginx.settings) }

        #expect(error?.description.contains("nginx.pid") == true, "\(error.map { "\($0)" } ?? "")")
    }
}
