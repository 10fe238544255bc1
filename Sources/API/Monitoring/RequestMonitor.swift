import CoreMetrics
import Database
import HTTP
import HTTPTypes
import Locks
import Logging
import Prometheus
import Settings
import Synchronization

/// Counts and times every request, and logs a line for each that the settings want to see: its id, route, status, durations, size and
/// library, and nothing of what was sent or answered.
final class RequestMonitor: Sendable {
    /// The route of a request for which there is none.
    static let noRoute = "none"

    static let descriptions: [MetricDescription] = [
        .counter("quire_http_requests_total", "Requests answered, by the pattern of their route, method and status."),
        .histogram(
            "quire_http_request_duration_seconds",
            "Time from the call of a request's handler to its response, or to the end of a streamed one."),
    ]

    private let log: RequestLog
    private let logger: Logger
    private let factory: RegistryFactory
    /// By method, then by pattern.
    private let meters: [String: [String: RouteMeter]]
    private let others: RouteMeter
    private let running = Atomic<Int>(0)
    private let defects = Atomic<Int>(0)

    /// - Parameter routes: all that there are; only these become labels.
    init(routes: [(method: HTTPRequest.Method, pattern: String)], registry: Registry, log: RequestLog, logger: Logger) {
        self.log = log
        self.logger = logger
        factory = RegistryFactory(registry)
        var meters: [String: [String: RouteMeter]] = [:]
        for (method, pattern) in routes {
            meters[method.rawValue, default: [:]][pattern] = RouteMeter(pattern, method.rawValue, factory)
            if method == .get { meters["HEAD", default: [:]][pattern] = RouteMeter(pattern, "HEAD", factory) }
        }
        self.meters = meters
        others = RouteMeter(Self.noRoute, "other", factory)
    }

    /// Requests that are being handled.
    var inFlight: Int { running.load(ordering: .relaxed) }

    /// Requests that were answered with 500.
    var failed: Int { defects.load(ordering: .relaxed) }

    /// Has `answer` answer a request. It is measured when the response is there, a streamed one when the stream has ended.
    ///
    /// - Parameter library: finds the library that the path is about. Asked before, since there may be nothing to find afterwards.
    func observe(
        _ request: Request, _ path: PathParameters, about library: @autoclosure () -> LibraryID? = nil,
        _ answer: () -> (Response, APIError?)
    ) -> Response {
        running.add(1, ordering: .relaxed)
        let start = ContinuousClock.now
        let library = log == .off ? nil : library()
        let (answered, error) = answer()
        var response = answered
        guard let stream = response.stream, request.method != .head else {
            finish(request, path, library, response.status, error, bytes: response.body.count, since: start)
            return response
        }
        // Who sends the response calls it once, or breaks off within it.
        let status = response.status
        response.stream = { [self] put in
            var bytes = 0
            defer { finish(request, path, library, status, error, bytes: bytes, since: start) }
            try stream { piece in
                try put(piece)
                bytes += piece.count
            }
        }
        return response
    }

    private func finish(
        _ request: Request, _ path: PathParameters, _ library: LibraryID?, _ status: HTTPResponse.Status, _ error: APIError?, bytes: Int,
        since start: ContinuousClock.Instant
    ) {
        running.subtract(1, ordering: .relaxed)
        let duration = max(.zero, ContinuousClock.now - start)
        let meter = meters[request.method.rawValue]?[path.pattern] ?? others
        meter.record(status.code, duration)
        if status.code == 500 { defects.add(1, ordering: .relaxed) }
        guard log == .all || log == .errors && status.code >= 400 else { return }
        logger.log(
            level: level(of: status.code, path.pattern), "request",
            metadata: metadata(request, path, library, status.code, error, bytes, duration))
    }

    private func metadata(
        _ request: Request, _ path: PathParameters, _ library: LibraryID?, _ status: Int, _ error: APIError?, _ bytes: Int,
        _ duration: Duration
    ) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "request_id": "\(request.id)", "method": "\(knownMethod(request.method))",
            "route": "\(path.pattern.isEmpty ? Self.noRoute : path.pattern)", "status": .stringConvertible(status),
            "milliseconds": .stringConvertible(duration.roundedMilliseconds),
            "queue_milliseconds": .stringConvertible(request.waited.roundedMilliseconds), "bytes": .stringConvertible(bytes),
        ]
        if let library { metadata["library_id"] = "\(library)" }
        if let error { metadata["error_type"] = "\(error.type.rawValue)" }
        return metadata
    }

    /// A method of the client's own making is no text for a log.
    private func knownMethod(_ method: HTTPRequest.Method) -> String {
        meters[method.rawValue] == nil ? "other" : method.rawValue
    }

    /// A defect is an error; that the server cannot at the moment, a warning; that the client was wrong, to be noticed. Who asks every
    /// few seconds whether all is well is not to be read among the others.
    private func level(of status: Int, _ pattern: String) -> Logger.Level {
        switch status {
        case 500: .error
        case 501...: .warning
        case 400...: .notice
        default: ["/health", "/ready", "/metrics"].contains(pattern) ? .debug : .info
        }
    }
}

/// What is measured of one route. Its series come into being with its first request.
// Sound as Sendable: all mutable state is read and written under `lock`.
private final class RouteMeter: @unchecked Sendable {
    private let pattern: String
    private let method: String
    private let factory: RegistryFactory
    private let lock = Lock()
    private var timer: Timer?
    private var counters: [Int: Counter] = [:]

    init(_ pattern: String, _ method: String, _ factory: RegistryFactory) {
        self.pattern = pattern
        self.method = method
        self.factory = factory
    }

    func record(_ status: Int, _ duration: Duration) {
        let (timer, counter) = lock.withLock { (currentTimer(), self.counter(of: status)) }
        counter.increment()
        timer.recordNanoseconds(duration.nanoseconds)
    }

    private func currentTimer() -> Timer {
        if let timer { return timer }
        let timer = Timer(label: "quire_http_request_duration_seconds", dimensions: labels, factory: factory)
        self.timer = timer
        return timer
    }

    private func counter(of status: Int) -> Counter {
        if let counter = counters[status] { return counter }
        let counter = Counter(label: "quire_http_requests_total", dimensions: labels + [("status", "\(status)")], factory: factory)
        counters[status] = counter
        return counter
    }

    private var labels: [(String, String)] { [("route", pattern), ("method", method)] }
}

extension Duration {
    /// Of any length that a process sees.
    var nanoseconds: Int64 { Int64(self / .nanoseconds(1)) }

    /// To a microsecond.
    var roundedMilliseconds: Double { (self / .microseconds(1)).rounded() / 1000 }
}
