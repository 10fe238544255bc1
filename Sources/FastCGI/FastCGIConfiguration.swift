import HTTP

/// How a `FastCGIServer` listens and what it allows one connection to use up.
package struct FastCGIConfiguration: Sendable {
    /// A listening unix socket, held by whoever made it; the server never closes it. 0 is where a FastCGI parent leaves it.
    package var listeningDescriptor: Int32
    /// Requests handled at one time, without those that have no class and those with a streamed body.
    package var workerThreads: Int
    /// Requests of one class that may wait to be handled; more are answered by `rejected`.
    package var queueLimit: Int
    /// How long they may wait.
    package var queueTimeout: Duration
    /// How many of them may have a streamed body, which takes as long as its client likes; more are answered by `rejected`.
    package var maxStreams: Int
    /// A longer body is read to its end, not kept, and answered by `rejected`. A streamed body has no limit.
    package var maxBodyBytes: Int
    /// How much of a body that will not be used is read so that nginx can be answered before the connection is closed.
    package var maxDiscardedBytes: Int
    /// The longest wait for more of what comes before the body. nginx sends it as soon as it has connected, so that whoever is silent then
    /// is not worth a worker for longer.
    package var headTimeout: Duration
    /// The longest wait for the other side within one read or write after that.
    package var socketTimeout: Duration
    /// The longest time that reading one body may take; bounds a client that sends a byte now and then.
    package var bodyTimeout: Duration
    /// Instead of both for a streamed body and the reply to it. Longer than nginx waits for the client, so that it is nginx that ends a
    /// connection of which nothing comes.
    package var streamTimeout: Duration
    /// How long the connection is held after a reply that did not wait for the end of a streamed body, until nginx has taken it.
    package var lingerTimeout: Duration
    /// Stack of each worker thread, at least 1 MB.
    package var stackBytes: Int

    package init(
        listeningDescriptor: Int32 = 0, workerThreads: Int, queueLimit: Int? = nil, queueTimeout: Duration = .seconds(2),
        maxStreams: Int? = nil, maxBodyBytes: Int,
        maxDiscardedBytes: Int = 64 << 20, headTimeout: Duration = .seconds(5), socketTimeout: Duration = .seconds(30),
        bodyTimeout: Duration = .seconds(120),
        streamTimeout: Duration = .seconds(330), lingerTimeout: Duration = .seconds(2), stackBytes: Int = 2 << 20
    ) {
        precondition(workerThreads > 0, "a server without workers answers nobody")
        precondition(maxBodyBytes >= 0 && maxDiscardedBytes >= 0, "sizes are not negative")
        precondition(
            min(headTimeout, socketTimeout, streamTimeout) >= .milliseconds(1) && bodyTimeout > .zero,
            "a timeout of zero would mean none at all")
        precondition(stackBytes >= 1 << 20, "handlers may rely on 1 MB of stack")
        self.listeningDescriptor = listeningDescriptor
        precondition((queueLimit ?? 0) >= 0 && queueTimeout > .zero, "nobody waits for a negative time, or in a negative number")
        self.workerThreads = workerThreads
        self.queueLimit = queueLimit ?? 2 * workerThreads
        self.queueTimeout = queueTimeout
        // The other half answers what is quick.
        self.maxStreams = maxStreams ?? max(1, workerThreads / 2)
        self.maxBodyBytes = maxBodyBytes
        self.maxDiscardedBytes = maxDiscardedBytes
        self.headTimeout = min(headTimeout, socketTimeout)
        self.socketTimeout = socketTimeout
        self.bodyTimeout = bodyTimeout
        self.streamTimeout = streamTimeout
        self.lingerTimeout = lingerTimeout
        self.stackBytes = stackBytes
    }

    /// One for everything that is handled or waits at one time, and some for what is answered at once: to be asked how the server is,
    /// and to turn others away.
    var threads: Int { workerThreads + maxStreams + RequestClass.allCases.count * queueLimit + Self.spareThreads }

    private static let spareThreads = 4
}
