/// When an acknowledged record is safe from what.
package enum DurabilityPolicy: Sendable, Equatable {
    /// On disk before it is acknowledged: survives a power loss.
    case always
    /// On disk at most this long, and one sync, after it is acknowledged; survives a kill at once.
    case interval(milliseconds: Int)
    /// The operating system decides; survives a kill at once, a power loss only by luck.
    case os
}
