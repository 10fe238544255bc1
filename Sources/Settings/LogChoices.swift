/// How much the processes log, least severe first. The names are those of swift-log.
package enum LogLevel: String, Sendable, Equatable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}

/// Which requests the responder logs.
package enum RequestLog: String, Sendable, Equatable, CaseIterable {
    case off
    /// Those answered with 400 or more.
    case errors
    case all
}

/// Which requests nginx writes to its access log.
package enum AccessLog: String, Sendable, Equatable, CaseIterable {
    case off
    /// Those answered with 400 or more.
    case errors
    case all
}
