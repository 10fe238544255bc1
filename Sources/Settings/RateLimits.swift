/// How many requests one client may send: those of an address in nginx, those of a key in the responder.
package struct RateLimits: Sendable, Equatable {
    package var isEnabled: Bool
    /// POST on searches and counts.
    package var search: Rate
    /// Everything else that is not GET or HEAD.
    package var write: Rate
    /// POST on the list of libraries.
    package var create: Rate
    /// How many may come at once after a pause; `nil`: what `burst(of:)` says.
    package var burst: Int?
    /// How many may be under way at a time.
    package var connections: Int

    package init(isEnabled: Bool, search: Rate, write: Rate, create: Rate, burst: Int?, connections: Int) {
        self.isEnabled = isEnabled
        self.search = search
        self.write = write
        self.create = create
        self.burst = burst
        self.connections = connections
    }

    /// How many requests of a class may come at once, without any being held back.
    package func burst(of rate: Rate) -> Int { burst ?? min(rate.count, 20) }
}

/// So many requests in a second, a minute or an hour.
package struct Rate: Sendable, Equatable, CustomStringConvertible {
    package enum Period: String, Sendable, CaseIterable {
        case second, minute, hour
    }

    package let count: Int
    package let period: Period

    static let accepted =
        "<number>/second, <number>/minute or <number>/hour, from 1 to 100000; by the hour a multiple of 60, for nginx counts by the minute"

    /// Reads `30/minute`. nginx counts in whole requests a second or a minute, so `90/hour` cannot be kept and is not accepted.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let count = decimal(parts[0]), (1...100_000).contains(count),
            let period = Period(rawValue: String(parts[1]))
        else { return nil }
        if period == .hour, !count.isMultiple(of: 60) { return nil }
        (self.count, self.period) = (count, period)
    }

    package var description: String { "\(count)/\(period.rawValue)" }

    /// Between two requests that come as fast as they may.
    package var interval: Duration {
        switch period {
        case .second: .seconds(1) / count
        case .minute: .seconds(60) / count
        case .hour: .seconds(3600) / count
        }
    }

    /// As `limit_req_zone` reads it.
    package var inNginx: String {
        switch period {
        case .second: "\(count)r/s"
        case .minute: "\(count)r/m"
        case .hour: "\(count / 60)r/m"
        }
    }

    /// Whole seconds after which the next request is let through at the latest.
    package var retrySeconds: Int {
        // nginx keeps a rate as thousandths of a request a second, rounded down: 10r/m are 166.
        let thousandths =
            switch period {
            case .second: 1000 * count
            case .minute: 1000 * count / 60
            case .hour: 1000 * (count / 60) / 60
            }
        let milliseconds = 1_000_000 / thousandths + 1
        return (milliseconds + Self.clockMilliseconds + 999) / 1000
    }

    /// nginx reads a clock that the kernel moves on with its ticks, each up to so far from the last one.
    private static let clockMilliseconds = 10
}

extension SettingsReader {
    mutating func rateLimits() throws(SettingsError) -> RateLimits {
        RateLimits(
            isEnabled: try flag(
                "rate_limit_enabled", default: false, "Whether what one address, or one key, sends beyond these limits is refused with 429"),
            search: try rate(
                "rate_limit_search", default: "30/minute", "Searches and counts: POST on .../search, .../search/* and .../count"),
            write: try rate("rate_limit_write", default: "60/minute", "Every other request that is not GET or HEAD"),
            create: try rate("rate_limit_create", default: "10/minute", "New libraries: POST /v1/libraries"),
            burst: try optionalInteger(
                "rate_limit_burst", in: 1...10_000, unit: "requests",
                "How many of a class may come at once after a pause; auto: the number of its rate, at most 20"),
            connections: try integer(
                "rate_limit_connections", default: 100, in: 1...10_000, unit: "requests",
                "How many requests under /v1 may be under way at a time, GET included"))
    }

    private mutating func rate(_ name: String, default text: String, _ summary: String) throws(SettingsError) -> Rate {
        try value(name, default: text, accepted: Rate.accepted, summary, parse: Rate.init)
    }
}
