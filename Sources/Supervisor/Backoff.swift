/// The pause before a failed responder is started again. It doubles from failure to failure.
struct Backoff {
    private let first: Duration
    private let longest: Duration
    private let steadyAfter: Duration
    private var next: Duration

    init(first: Duration, longest: Duration, steadyAfter: Duration) {
        self.first = first
        self.longest = longest
        self.steadyAfter = steadyAfter
        next = first
    }

    /// The pause after a failure of a responder that ran for `time`.
    mutating func pause(afterRunning time: Duration) -> Duration {
        if time >= steadyAfter { next = first }
        defer { next = min(next * 2, longest) }
        return next
    }
}
