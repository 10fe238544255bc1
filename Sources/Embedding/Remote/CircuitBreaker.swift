import Locks

/// Stops calls of a provider that fails again and again, so that callers are answered at once instead of each waiting in vain
/// (M. Nygard, Release It!, 2nd edition, section 5.2).
///
/// After `limit` failures in a row it is open for `rest`. Then one call is let through: if it succeeds the breaker closes, else it is
/// open for another `rest`.
// Sound as Sendable: `state` is read and written under `lock`.
final class CircuitBreaker: @unchecked Sendable {
    static let limit = 5
    static let rest = Duration.seconds(30)

    enum Outcome {
        case success
        /// The provider is down, slow, overloaded, or answers nonsense.
        case failure(reason: String)
        /// The provider works and does not like the request, or was not asked: says nothing either way.
        case neither
    }

    /// The breaker is open.
    struct Open: Error, Equatable {
        /// How long it stays so.
        let remaining: Duration
        /// What the last call failed with.
        let reason: String
    }

    private struct State {
        var failures = 0
        var lastReason = ""
        var opensAgain: ContinuousClock.Instant?
        var isProbing = false
    }

    private let lock = Lock()
    private var state = State()

    /// Asks to call; whoever may, says with `leave` what came of it.
    func enter(at now: ContinuousClock.Instant) throws(Open) {
        try lock.withLock { () throws(Open) in
            guard let open = state.opensAgain else { return }
            guard now >= open, !state.isProbing else {
                throw Open(remaining: max(.seconds(1), open - now), reason: state.lastReason)
            }
            state.isProbing = true
        }
    }

    func leave(_ outcome: Outcome, at now: ContinuousClock.Instant) {
        lock.withLock {
            state.isProbing = false
            switch outcome {
            case .success:
                state = State()
            case .failure(let reason):
                state.failures += 1
                state.lastReason = reason
                if state.failures >= Self.limit { state.opensAgain = now + Self.rest }
            case .neither:
                break
            }
        }
    }

    /// Why calls would be refused now; `nil` if they would not.
    func current(at now: ContinuousClock.Instant) -> Open? {
        lock.withLock {
            guard let open = state.opensAgain, now < open else { return nil }
            return Open(remaining: open - now, reason: state.lastReason)
        }
    }
}
