import Glibc

/// Time and chance, as a client of a remote provider needs them. Tests bring their own, so that none of them waits.
struct RemoteClock: Sendable {
    /// What deadlines are measured with.
    let now: @Sendable () -> ContinuousClock.Instant
    /// Seconds since 1970, for `Retry-After` headers that name a date.
    let secondsSince1970: @Sendable () -> Int
    let sleep: @Sendable (Duration) -> Void
    /// Evenly in 0..<1.
    let random: @Sendable () -> Double

    static let system = RemoteClock(
        now: { .now },
        secondsSince1970: { time(nil) },
        sleep: { duration in
            let (seconds, attoseconds) = max(.zero, duration).components
            var rest = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
            var asked = rest
            while nanosleep(&asked, &rest) != 0, errno == EINTR { asked = rest }
        },
        random: { .random(in: 0..<1) })
}
