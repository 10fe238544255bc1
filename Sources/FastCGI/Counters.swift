import Synchronization

/// What a server has done since it started, counted by all its threads.
final class Counters: Sendable {
    let connections = Counter()
    let requests = Counter()
    let rejectedRequests = Counter()
    let brokenConnections = Counter()
    let acceptFailures = Counter()
}

/// A number that threads count up together.
struct Counter: ~Copyable, Sendable {
    private let count = Atomic<Int>(0)

    func increment() { count.add(1, ordering: .relaxed) }

    var value: Int { count.load(ordering: .relaxed) }
}

/// The counts of a `FastCGIServer` at one moment, for metrics.
package struct FastCGICounts: Sendable, Equatable {
    /// Connections accepted.
    package var connections: Int
    /// Requests handed to the handler.
    package var requests: Int
    /// Requests handed to `rejected`.
    package var rejectedRequests: Int
    /// Connections that broke, stalled or spoke no FastCGI.
    package var brokenConnections: Int
    /// Failures to accept, such as too many open files; each was retried after a pause.
    package var acceptFailures: Int

    init(_ counters: Counters) {
        connections = counters.connections.value
        requests = counters.requests.value
        rejectedRequests = counters.rejectedRequests.value
        brokenConnections = counters.brokenConnections.value
        acceptFailures = counters.acceptFailures.value
    }
}
