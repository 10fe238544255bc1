/// What a `Supervisor` runs, where it listens and how patient it is.
package struct SupervisorConfiguration: Sendable {
    /// Made by the supervisor, in a directory that is there and keeps everybody out but its owner and the socket's group. Not used
    /// when systemd passes a socket on.
    package var socketPath: String
    /// Who may connect besides the owner: the group that nginx's workers run in. Nil is nobody.
    package var socketGroup: UInt32?
    /// Connections that may wait for the responder. nginx gets an error at once when there are more.
    package var backlog: Int32
    /// Path of the responder, and its arguments without its name.
    package var executable: String
    package var arguments: [String]
    /// The responder's environment; nil passes on ours.
    package var environment: [String: String]?
    /// Pause before a failed responder is started again: doubles from the first to the longest.
    package var firstPause: Duration
    package var longestPause: Duration
    /// A responder that ran this long is not in a series of failures any more.
    package var steadyAfter: Duration
    /// Time to finish what runs, between SIGTERM and SIGKILL.
    package var stopLimit: Duration
    /// A connection that waits this long while no responder serves is closed, so that nginx can answer its client.
    package var longestWait: Duration

    package init(
        socketPath: String, socketGroup: UInt32? = nil, backlog: Int32 = 1024, executable: String, arguments: [String] = [],
        environment: [String: String]? = nil, firstPause: Duration = .milliseconds(100), longestPause: Duration = .seconds(2),
        steadyAfter: Duration = .seconds(30), stopLimit: Duration = .seconds(5), longestWait: Duration = .seconds(4)
    ) {
        precondition(firstPause > .zero && longestPause >= firstPause, "without a pause a failing responder takes the whole machine")
        precondition(longestWait > .zero, "somebody who waits is given some time")
        self.socketPath = socketPath
        self.socketGroup = socketGroup
        self.backlog = backlog
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.firstPause = firstPause
        self.longestPause = longestPause
        self.steadyAfter = steadyAfter
        self.stopLimit = stopLimit
        self.longestWait = longestWait
    }
}
