import Keys
import Locks
import Settings

/// Counts the requests of each key against the limits: one token bucket for a key and a class.
///
/// A bucket holds `burst` tokens at most, and never less than one, and gains as many as the rate says, continuously; a request takes
/// one. So within any time t a key gets at most `rate × t + burst` through, as an address does in nginx.
// Sound as Sendable: `full` is read and written under `lock`.
final class RateLimiter: @unchecked Sendable {
    let limits: RateLimits
    private let maxBuckets: Int
    private let now: @Sendable () -> ContinuousClock.Instant
    private let lock = Lock()
    /// When each bucket is full: the tokens that it lacks are those it gains until then.
    private var full: [Place: ContinuousClock.Instant] = [:]

    private struct Place: Hashable {
        let key: KeyID
        let kind: RateClass
    }

    /// - Parameters:
    ///   - maxBuckets: of this many some are forgotten, full ones first. A forgotten bucket is a full one.
    ///   - now: the time that buckets fill by.
    init(
        _ limits: RateLimits, maxBuckets: Int = 3 * KeyRing.maxKeys, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.limits = limits
        self.maxBuckets = maxBuckets
        self.now = now
    }

    /// How many buckets there are.
    var count: Int { lock.withLock { full.count } }

    /// Takes a token. `nil`: there was one; else how long until there is one, and the request does not count.
    ///
    /// - Parameter key: one that was verified: strangers would fill the memory and empty the buckets of others.
    func take(_ kind: RateClass, of key: KeyID) -> Duration? {
        let rate = limits[kind]
        let perToken = rate.interval
        let capacity = perToken * max(1, limits.burst(of: rate))
        let place = Place(key: key, kind: kind)
        return lock.withLock {
            let time = now()
            let next = max(full[place] ?? time, time) + perToken
            let excess = time.duration(to: next) - capacity
            guard excess <= .zero else { return excess }
            if full[place] == nil { makeRoom(at: time) }
            full[place] = next
            return nil
        }
    }

    private func makeRoom(at time: ContinuousClock.Instant) {
        guard full.count >= maxBuckets else { return }
        full = full.filter { $0.value > time }
        while full.count >= maxBuckets { full.remove(at: full.startIndex) }
    }
}

/// What is counted apart. GET and HEAD are not counted.
enum RateClass: String, Sendable, Hashable, CaseIterable {
    /// POST of a search or a count.
    case search
    /// Every other POST, PUT, PATCH and DELETE under `/v1`.
    case write
    /// POST of a library.
    case create
}

extension RateLimits {
    subscript(_ kind: RateClass) -> Rate {
        switch kind {
        case .search: search
        case .write: write
        case .create: create
        }
    }
}
