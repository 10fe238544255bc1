import CCurl

/// When a failed call of a provider is tried again.
struct RetryPolicy: Sendable {
    /// Calls in all, the first included.
    var attempts = 5
    /// The pause after the first failure; each further one is twice as long as the one before.
    var firstPause = Duration.seconds(1)
    /// No pause is longer. A provider that asks for more patience is not waited for.
    var longestPause = Duration.seconds(60)
    /// How much of a pause is left to chance, so that callers who failed together do not come back together.
    var jitter = 0.2

    /// Requests that may succeed without being changed: the provider was too slow (408), somebody else was in the way (409), there were
    /// too many (429), or the provider itself failed.
    static func isTransient(status: Int) -> Bool {
        [408, 409, 429].contains(status) || status >= 500
    }

    /// How long to wait before the next call, or `nil` if there should be none.
    ///
    /// - Parameters:
    ///   - failures: how many calls have failed, 1 or more.
    ///   - retryAfter: the header of the last answer: seconds, or a date (RFC 9110, section 10.2.3). What is neither is ignored.
    ///   - deadline: no pause ends after it.
    func pause(
        after failures: Int, retryAfter: String?, before deadline: ContinuousClock.Instant?, clock: RemoteClock
    ) -> Duration? {
        guard failures < attempts else { return nil }
        let doubled = firstPause * (1 << min(failures - 1, 30))
        var pause = min(doubled, longestPause) * (1 - jitter * clock.random())
        if let asked = retryAfter.flatMap({ Self.seconds(of: $0, at: clock.secondsSince1970()) }) {
            // Whole seconds from a header could be any number.
            guard asked <= Int(longestPause.components.seconds) else { return nil }
            pause = max(pause, .seconds(asked))
        }
        if let deadline, clock.now() + pause >= deadline { return nil }
        return pause
    }

    private static func seconds(of header: String, at now: Int) -> Int? {
        if let seconds = Int(header) { return max(0, seconds) }
        let date = curl_getdate(header, nil)
        return date < 0 ? nil : max(0, date - now)
    }
}
