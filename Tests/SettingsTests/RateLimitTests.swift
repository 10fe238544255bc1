import Glibc
import TestSupport
import Testing

@testable import Settings

/// What one address may send, with a real nginx that believes this machine about who the client is.
@Suite("nginx, rate limits")
struct RateLimitTests {
    /// Buckets that a test can empty and that do not fill meanwhile.
    private static let slow = [
        "RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_SEARCH": "60/hour", "RATE_LIMIT_WRITE": "60/hour", "RATE_LIMIT_CREATE": "60/hour",
        "RATE_LIMIT_BURST": "1", "TRUSTED_PROXIES": "127.0.0.1", "API_KEYS_REQUIRED": "true",
    ]
    private static let library = "/v1/libraries/6f0c"

    private let nginx: RunningNginx
    private let responder: AnsweringResponder

    private init(nginx: RunningNginx) throws {
        self.nginx = nginx
        responder = try AnsweringResponder(path: nginx.runDirectory.socketPath)
    }

    init() throws { try self.init(nginx: RunningNginx(Self.slow)) }

    private static func running(_ changes: [String: String]) throws -> Self {
        try Self(nginx: RunningNginx(slow.merging(changes) { $1 }))
    }

    private func status(_ method: String = "POST", _ target: String = library + "/search", of client: String) throws -> Int {
        try nginx.send(method, target, headers: "X-Forwarded-For: \(client)\r\n").status
    }

    @Test("let through as many as rate x time + burst, each class and each client by itself (E1)")
    func accuracy() throws {
        let burst = 20
        let limits = try Self.running([
            "RATE_LIMIT_SEARCH": "20/second", "RATE_LIMIT_WRITE": "10/second", "RATE_LIMIT_CREATE": "300/minute",
            "RATE_LIMIT_BURST": "\(burst)",
        ])
        let classes = [(Self.library + "/search", 20.0), (Self.library + "/documents", 10.0), ("/v1/libraries", 5.0)]
        let nginx = limits.nginx
        func run(_ round: Int) throws -> [Run] {
            try onThreads(2 * classes.count) { thread in
                let (target, rate) = classes[thread / 2]
                return try Run(
                    nginx, target, client: "10.0.\(round).\(thread)", rate: rate, burst: Double(burst), for: .seconds(3))
            }
        }

        // On a busy machine nginx itself may not run for a while, and then it sees requests at other times than here.
        var runs = try run(0)
        for round in 1..<8 where !runs.allSatisfy({ $0.keepsLimit && $0.refused > 20 }) { runs = try run(round) }

        for run in runs {
            let name = "requests let through, \(Int(run.rate))/s and burst \(burst)"
            report(name, "\(run.passed) of \(run.sent), expected \(run.least)...\(run.most)")
            #expect(run.keepsLimit, "\(run)")
            #expect(run.refused > 0 && run.passed + run.refused == run.sent, "\(run)")
        }
    }

    /// As many requests as one client can send.
    private struct Run: Sendable {
        let target: String
        let rate: Double
        private(set) var sent = 0
        private(set) var passed = 0
        private(set) var refused = 0
        /// Bounds of what may pass between the first and the last request as nginx has seen them.
        let least: Double
        let most: Double

        var keepsLimit: Bool { (least - 1...most + 1).contains(Double(passed)) }

        init(_ nginx: RunningNginx, _ target: String, client: String, rate: Double, burst: Double, for length: Duration) throws {
            (self.target, self.rate) = (target, rate)
            let begin = ContinuousClock.now
            var (firstEnd, lastBegin, lastEnd): (ContinuousClock.Instant?, _, _) = (nil, begin, begin)
            // What could pass at most at one moment; and what was lost because it was more than a burst, while nothing was sent.
            var (available, lost) = (burst, 0.0)
            while lastBegin - begin < length {
                let previousBegin = lastBegin
                lastBegin = .now
                let status = try nginx.send("POST", target, headers: "X-Forwarded-For: \(client)\r\n").status
                lastEnd = .now
                if firstEnd != nil {
                    available += rate * ((lastEnd - previousBegin) / .seconds(1))
                    lost += max(0, available - burst)
                    available = min(available, burst)
                }
                firstEnd = firstEnd ?? lastEnd
                sent += 1
                if status == 200 {
                    passed += 1
                    available -= 1
                }
                if status == 429 {
                    refused += 1
                    available = min(available, 1)
                }
            }
            least = rate * ((lastBegin - firstEnd!) / .seconds(1)) + burst - lost
            most = rate * ((lastEnd - begin) / .seconds(1)) + burst
        }
    }

    @Test("are answered in the one shape of errors, with the time after which a request passes")
    func retryAfter() throws {
        let limits = try Self.running(["RATE_LIMIT_SEARCH": "60/minute"])
        func send() throws -> HTTPReply {
            try limits.nginx.send("POST", Self.library + "/search", headers: "X-Forwarded-For: 10.0.0.1\r\n")
        }
        #expect(try send().status == 200)

        // One that comes a second later passes.
        var refused = try send()
        for _ in 0..<100 where refused.status == 200 { refused = try send() }
        let refusedAt = ContinuousClock.now

        #expect(refused.asError == "429 RateLimitError")
        #expect(refused.headers("retry-after") == ["2"])
        #expect(refused.json["detail"] == "More search requests than one address may send; try again in 2 s")
        var (status, isTime) = (429, false)
        while status == 429, !isTime {
            isTime = ContinuousClock.now - refusedAt >= .seconds(2)
            status = try limits.status(of: "10.0.0.1")
        }
        #expect(status == 200)
    }

    /// Requests by what they count towards; nil counts towards nothing.
    private static let requests: [(class: String?, method: String, target: String)] =
        ["search", "search/embedding", "search/batch", "%73earch?x=1", "count"].map { ("search", "POST", "\(library)/\($0)") } + [
            ("create", "POST", "/v1/libraries"), ("create", "POST", "/v1/%6cibraries?a"),
            ("write", "POST", "\(library)/documents"), ("write", "POST", "\(library)/documents/stream"),
            ("write", "POST", "\(library)/searches"), ("write", "POST", "/v1/admin/snapshots"), ("write", "POST", "/v1/embeddings"),
            ("write", "PUT", "/v1/documents/1"), ("write", "PATCH", library), ("write", "DELETE", library),
            ("write", "DELETE", "\(library)/search"), ("write", "OPTIONS", library),
            (nil, "GET", "\(library)/search"), (nil, "GET", "\(library)/count"), (nil, "GET", "/v1/libraries"), (nil, "HEAD", library),
            (nil, "GET", "/health"), (nil, "POST", "/health"), (nil, "GET", "/ready"), (nil, "POST", "/"), (nil, "POST", "/docs"),
        ]

    @Test("count a request towards its own class, and reading and health towards none")
    func classes() throws {
        var client = 0
        for first in Self.requests {
            for second in Self.requests {
                client += 1
                let address = "10.1.\(client / 256).\(client % 256)"
                #expect(try status(first.method, first.target, of: address) == 200, "\(first)")
                let expected = first.class != nil && first.class == second.class ? 429 : 200
                #expect(try status(second.method, second.target, of: address) == expected, "\(first) before \(second)")
            }
        }
        #expect(client > 400)
    }

    @Test("do not count what is not there")
    func unknownPaths() throws {
        for target in ["/v2/libraries", "/libraries", "/v1/a//b"] {
            for _ in 0..<3 { #expect([400, 404].contains(try status("POST", target, of: "10.0.0.1"))) }
        }
        #expect(try status("POST", "/v1/libraries", of: "10.0.0.1") == 200)
    }

    @Test("know a client by its address alone, whatever key it shows (E2)")
    func keys() throws {
        var statuses: [Int] = []
        for key in 0..<5 {
            let headers = "X-Forwarded-For: 10.0.0.1\r\nAuthorization: Bearer key-\(key)\r\nX-API-Key: \(key)\r\n"
            statuses.append(try nginx.send("POST", Self.library + "/search", headers: headers).status)
        }
        #expect(statuses == [200, 429, 429, 429, 429])
    }

    @Test("hold when more clients come than a zone has room for, and refuse nobody who keeps to them (E3)")
    func fullZone() throws {
        let limits = try Self.running(["RATE_LIMIT_BURST": "20"])
        let strangers = (0..<100_000).map { "11.\($0 >> 16).\($0 >> 8 & 255).\($0 & 255)" }
        let before = try limits.searches(of: Array(repeating: "10.0.0.1", count: 40))
        #expect(before == (20, 20))

        var (strangersPassed, modestPassed, modestSent) = (0, 0, 0)
        for start in stride(from: 0, to: strangers.count, by: 500) {
            strangersPassed += try limits.searches(of: Array(strangers[start..<start + 500])).passed
            if start % 10_000 == 0 {
                modestPassed += try limits.searches(of: ["10.0.0.2"]).passed
                modestSent += 1
            }
        }

        report("requests of as many clients let through, more than a zone holds", "\(strangersPassed) of \(strangers.count)")
        report("requests of another client beside them let through", "\(modestPassed) of \(modestSent)")
        #expect(strangersPassed == strangers.count)
        #expect(modestPassed == modestSent)
        // Forgotten for want of room: so the zone was full.
        #expect(try limits.searches(of: ["10.0.0.1"]).passed == 1)
        #expect(try limits.searches(of: Array(repeating: "10.0.0.3", count: 60)) == (20, 40))
    }

    /// Searches on one connection, one after the other.
    private func searches(of clients: [String]) throws -> (passed: Int, refused: Int) {
        let requests = clients.enumerated().map { index, client in
            let last = index == clients.count - 1 ? "Connection: close\r\n" : ""
            let headers = "Host: quire\r\nContent-Length: 0\r\nX-Forwarded-For: \(client)\r\n\(last)"
            return "POST \(Self.library)/search HTTP/1.1\r\n\(headers)\r\n"
        }
        let replies = try #require(exchange(Array(requests.joined().utf8), port: nginx.settings.port))
        func count(_ status: String) -> Int { String(decoding: replies, as: UTF8.self).ranges(of: "HTTP/1.1 \(status) ").count }
        return (count("200"), count("429"))
    }

    @Test("take an IPv6 network of 64 bits for one client")
    func networks() throws {
        #expect(try status(of: "2001:db8:1:2::1") == 200)
        #expect(try status(of: "2001:db8:1:2:ffff:ffff:ffff:ffff") == 429)
        #expect(try status(of: "2001:db8:1:3::1") == 200)
        #expect(try status(of: "2001:db8::1") == 200)
        #expect(try status(of: "2001:db8::2:3") == 429)
        #expect(try status(of: "::2") == 200)
        #expect(try status(of: "::3") == 200)
    }

    @Test("believe a proxy that is trusted, and only as far as those that are")
    func proxies() throws {
        let trusting = try Self.running(["TRUSTED_PROXIES": "127.0.0.1, 10.9.0.0/16"])
        // The client is the last one that is not trusted: what it wrote itself stands before.
        #expect(try trusting.status(of: "1.1.1.1, 7.7.7.7, 10.9.3.4") == 200)
        #expect(try trusting.status(of: "2.2.2.2, 7.7.7.7") == 429)

        let trustingNobody = try Self.running(["TRUSTED_PROXIES": "none"])
        #expect(try trustingNobody.status(of: "1.1.1.1") == 200)
        #expect(try trustingNobody.status(of: "2.2.2.2") == 429)
    }

    @Test("bound what one client has under way at a time, reading included and health not")
    func connections() throws {
        let nginx = try RunningNginx(Self.slow.merging(["RATE_LIMIT_CONNECTIONS": "2"]) { $1 })
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)
        func begin(_ target: String, of client: String) throws -> (Background<HTTPReply>, StandInExchange) {
            let request = "GET \(target) HTTP/1.1\r\nHost: quire\r\nX-Forwarded-For: \(client)\r\nConnection: close\r\n\r\n"
            return (nginx.exchangeInBackground(request), try responder.begin())
        }
        var underWay = try [begin("/v1/libraries", of: "10.0.0.1"), begin("/v1/libraries", of: "10.0.0.1")]

        #expect(try nginx.get("/v1/libraries", headers: "X-Forwarded-For: 10.0.0.1\r\n").asError == "429 RateLimitError")
        underWay += try [begin("/health", of: "10.0.0.1"), begin("/v1/libraries", of: "10.0.0.2")]

        for (reply, exchange) in underWay {
            _ = try exchange.readBody()
            try exchange.reply("Status: 200 OK\r\n\r\n{}")
            #expect(try reply.value().status == 200)
        }
        #expect(underWay.count == 4)
    }

    @Test("are off unless they are turned on")
    func off() throws {
        let limits = try Self.running(["RATE_LIMIT_ENABLED": "false"])
        for _ in 0..<50 { #expect(try limits.status(of: "10.0.0.1") == 200) }
    }
}

@Suite("Rates")
struct RateTests {
    @Test(
        "are what nginx can count",
        arguments: [
            ("30/minute", "30r/m", 3), ("1/minute", "1r/m", 63), ("10/minute", "10r/m", 7), ("60/minute", "60r/m", 2),
            ("1/second", "1r/s", 2), ("2/second", "2r/s", 1), ("100000/second", "100000r/s", 1), ("60/hour", "1r/m", 63),
            ("3600/hour", "60r/m", 2),
        ])
    func rates(text: String, inNginx: String, retrySeconds: Int) throws {
        let rate = try settings(["RATE_LIMIT_SEARCH": text]).rateLimits.search

        #expect(rate.description == text)
        #expect(rate.inNginx == inNginx)
        #expect(rate.retrySeconds == retrySeconds)
    }

    @Test(
        "are refused when it cannot, even while limits are off",
        arguments: [
            "", "30", "30/", "/minute", "0/minute", "-1/minute", "1.5/second", "30/day", "30/Minute", "30 / minute", "30/minute ",
            "100001/second", "30r/m", "1/hour", "90/hour", "30/minute/second",
        ])
    func refusedRates(text: String) {
        for name in ["RATE_LIMIT_SEARCH", "RATE_LIMIT_WRITE", "RATE_LIMIT_CREATE"] {
            #expect(refusal([name: text])?.description.hasSuffix("by the hour a multiple of 60, for nginx counts by the minute") == true)
        }
    }

    @Test("have a burst of their number, at most 20, unless it is given")
    func bursts() throws {
        let limits = try settings(["RATE_LIMIT_CREATE": "7/minute"]).rateLimits
        #expect(limits.burst(of: limits.search) == 20)
        #expect(limits.burst(of: limits.create) == 7)
        let given = try settings(["RATE_LIMIT_BURST": "500"]).rateLimits
        #expect(given.burst(of: given.search) == 500)
    }
}
