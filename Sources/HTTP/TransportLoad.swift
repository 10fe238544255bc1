/// How busy the transport is, for whoever watches it.
package struct TransportLoad: Sendable, Equatable {
    /// Requests that can be handled at one time.
    package var workers: Int
    /// Those that are: read, handled or answered.
    package var busyWorkers: Int
    /// Those of them with a streamed body.
    package var streams: Int
    /// Connections accepted so far.
    package var accepted: Int
    /// Connections that wait for a worker, and how many may; nil where the system does not say.
    package var queue: Queue?

    package struct Queue: Sendable, Equatable {
        package var waiting: Int
        package var limit: Int

        package init(waiting: Int, limit: Int) {
            self.waiting = waiting
            self.limit = limit
        }
    }

    package init(workers: Int, busyWorkers: Int, streams: Int, accepted: Int, queue: Queue?) {
        self.workers = workers
        self.busyWorkers = busyWorkers
        self.streams = streams
        self.accepted = accepted
        self.queue = queue
    }
}
