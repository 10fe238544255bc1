import CPlatform
import Glibc
import HTTP
import Synchronization

/// What a server and its workers share. The last of them to let go closes the events.
final class SharedState: Sendable {
    let listeningDescriptor: Int32
    /// Readable for everybody from the moment the server stops.
    let stopEvent: Int32
    /// Where workers wait for a connection, or the stop.
    private let epoll: Int32
    /// Readable once no worker runs any more.
    private let finishedEvent: Int32
    private let stopping = Atomic<Bool>(false)
    private let runningWorkers = Atomic<Int>(0)
    private let runningStreams = Atomic<Int>(0)
    private let accepted = Atomic<Int>(0)

    let admission: AdmissionQueue

    init(listeningDescriptor: Int32, admission: AdmissionQueue) throws(FastCGIError) {
        self.listeningDescriptor = listeningDescriptor
        self.admission = admission
        var descriptors: [Int32] = []
        do throws(FastCGIError) {
            stopEvent = try checkCall("eventfd", quire_event_create())
            descriptors.append(stopEvent)
            finishedEvent = try checkCall("eventfd", quire_event_create())
            descriptors.append(finishedEvent)
            epoll = try checkCall("epoll_create1", quire_epoll_create())
            descriptors.append(epoll)
            _ = try checkCall("epoll_ctl", quire_epoll_watch(epoll, listeningDescriptor, 1))
            _ = try checkCall("epoll_ctl", quire_epoll_watch(epoll, stopEvent, 0))
        } catch {
            for descriptor in descriptors { close(descriptor) }
            throw error
        }
    }

    deinit {
        for descriptor in [stopEvent, finishedEvent, epoll] { close(descriptor) }
    }

    // MARK: Waiting for connections

    /// Returns when there may be a connection or the server stops; whoever calls looks again.
    ///
    /// - Returns: whether it is a connection: then nobody else is told of one until `callNext`.
    func waitForConnection() -> Bool {
        let ready = quire_epoll_wait(epoll)
        precondition(ready >= 0 || errno == EINTR, "an epoll instance of our own can be waited for")
        return ready == listeningDescriptor
    }

    /// Has the next connection told of.
    func callNext() {
        // Fails where whoever made the socket has closed it, and nobody comes any more.
        _ = quire_epoll_watch_again(epoll, listeningDescriptor)
    }

    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    func stop() {
        stopping.store(true, ordering: .releasing)
        raise(stopEvent)
    }

    /// Said for all workers before the first one runs.
    func workersWillStart(_ count: Int) {
        runningWorkers.add(count, ordering: .relaxed)
    }

    /// The last thing a worker does, or what is said in place of one that could not be started.
    func workerFinished() {
        if runningWorkers.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { raise(finishedEvent) }
    }

    /// Waits until every worker has finished. Returns false when `limit` is over before that.
    func waitUntilFinished(atMost limit: Duration) -> Bool {
        let deadline = ContinuousClock.now + limit
        while runningWorkers.load(ordering: .acquiring) > 0 {
            let left = deadline - .now
            guard left > .zero else { return false }
            var waiting = pollfd(fd: finishedEvent, events: Int16(POLLIN), revents: 0)
            poll(&waiting, 1, Int32(clamping: Int(left / .milliseconds(1)) + 1))
        }
        return true
    }

    /// Said of every connection before anything is read from it.
    func connectionAccepted() {
        accepted.add(1, ordering: .relaxed)
    }

    func load(workers: Int, waitingLimit: Int) -> TransportLoad {
        let queue = admission.figures
        return TransportLoad(
            workers: workers, busyWorkers: queue.running, streams: runningStreams.load(ordering: .relaxed),
            accepted: accepted.load(ordering: .relaxed), waiting: queue.waiting, waitingLimit: waitingLimit, turnedAway: queue.turnedAway)
    }

    /// Runs `body` unless `limit` of those that run have a streamed body already.
    func withStream<Result>(limit: Int, _ body: () -> Result) -> Result? {
        defer { runningStreams.subtract(1, ordering: .relaxed) }
        guard runningStreams.add(1, ordering: .relaxed).newValue <= limit else { return nil }
        return body()
    }

    private func raise(_ event: Int32) {
        // Nobody clears the events, so they cannot be full after one or two.
        precondition(quire_event_raise(event) == 0, "an event of our own can be raised")
    }
}
