/// How busy the transport is, for whoever watches it.
package struct TransportLoad: Sendable, Equatable {
    /// Requests that can be handled at one time.
    package var workers: Int
    /// Those that are: read, handled or answered. Streamed bodies and what has no class come on top.
    package var busyWorkers: Int
    /// Requests with a streamed body.
    package var streams: Int
    /// Connections accepted so far.
    package var accepted: Int
    /// Requests of each class that wait for a worker, and how many of one class may.
    package var waiting: [RequestClass: Int]
    package var waitingLimit: Int
    /// Those that were turned away because too many waited or they had waited too long.
    package var turnedAway: [RequestClass: Int]

    package init(
        workers: Int, busyWorkers: Int, streams: Int, accepted: Int, waiting: [RequestClass: Int], waitingLimit: Int,
        turnedAway: [RequestClass: Int]
    ) {
        self.workers = workers
        self.busyWorkers = busyWorkers
        self.streams = streams
        self.accepted = accepted
        self.waiting = waiting
        self.waitingLimit = waitingLimit
        self.turnedAway = turnedAway
    }
}
