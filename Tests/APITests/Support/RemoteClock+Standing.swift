@testable import Embedding

extension RemoteClock {
    /// One that stands still: who sleeps on it has slept at once, and a provider that rests goes on to rest.
    static var standing: RemoteClock {
        let start = ContinuousClock.now
        return RemoteClock(now: { start }, secondsSince1970: { 0 }, sleep: { _ in }, random: { 0 })
    }
}
