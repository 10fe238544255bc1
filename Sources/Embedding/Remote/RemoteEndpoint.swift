import JSON

/// One provider at one address, asked with one key: what all its models share. Callers of all threads together make no more calls at a
/// time than it takes, and when it is down none of them waits for it.
final class RemoteEndpoint: Sendable {
    /// One call waits no longer for its answer. A caller whose deadline is later tries again.
    static let callLimit = Duration.seconds(30)

    let kind: RemoteProviderKind
    let format: any WireFormat
    private let url: String
    private let key: APIKey?
    private let client = HTTPClient()
    private let breaker = CircuitBreaker()
    private let slots: CallSlots
    private let policy: RetryPolicy
    private let clock: RemoteClock

    init(_ kind: RemoteProviderKind, baseURL: String, key: APIKey?, policy: RetryPolicy = RetryPolicy(), clock: RemoteClock = .system) {
        self.kind = kind
        format = kind.format
        url = baseURL + format.path
        self.key = key
        slots = CallSlots(format.maxCalls)
        self.policy = policy
        self.clock = clock
    }

    /// Why a call would be refused now, if it would.
    var refusal: CircuitBreaker.Open? { breaker.current(at: clock.now()) }

    /// Posts `body` until there is an answer that `read` accepts, for as long as trying again may help.
    func call<Value>(
        _ body: [UInt8], sizeLimit: Int, deadline: ContinuousClock.Instant?, read: (JSONReader) throws(AnswerProblem) -> Value
    ) throws(CallFailure) -> Value {
        var failures = 0
        while true {
            switch try attempt(body, sizeLimit: sizeLimit, deadline: deadline, read: read) {
            case .success(let value):
                return value
            case .failure(let failure):
                failures += 1
                guard failure.isTransient,
                    let pause = policy.pause(after: failures, retryAfter: failure.retryAfter, before: deadline, clock: clock)
                else { throw .failed(status: failure.status, reason: failure.reason) }
                clock.sleep(pause)
            }
        }
    }

    /// One call that failed.
    private struct Failure: Error {
        let status: Int?
        let reason: String
        var retryAfter: String?
        /// Whether the same call may succeed later.
        let isTransient: Bool
        /// Whether it speaks against the provider, and not against the request.
        let isProviders: Bool
    }

    private func attempt<Value>(
        _ body: [UInt8], sizeLimit: Int, deadline: ContinuousClock.Instant?, read: (JSONReader) throws(AnswerProblem) -> Value
    ) throws(CallFailure) -> Result<Value, Failure> {
        guard slots.take(before: deadline, clock: clock) else { throw .late }
        defer { slots.give() }
        var timeLimit = Self.callLimit
        if let deadline { timeLimit = min(timeLimit, deadline - clock.now()) }
        guard timeLimit > .zero else { throw .late }
        // Asked last: whoever waited for a slot meanwhile learns that the breaker has opened.
        do {
            try breaker.enter(at: clock.now())
        } catch {
            throw .resting(remaining: error.remaining, reason: error.reason)
        }
        let result = send(body, timeLimit: timeLimit, sizeLimit: sizeLimit, read: read)
        switch result {
        case .success: breaker.leave(.success, at: clock.now())
        case .failure(let failure):
            let status = failure.status.map { "status \($0): " } ?? ""
            breaker.leave(failure.isProviders ? .failure(reason: status + failure.reason) : .neither, at: clock.now())
        }
        return result
    }

    private func send<Value>(
        _ body: [UInt8], timeLimit: Duration, sizeLimit: Int, read: (JSONReader) throws(AnswerProblem) -> Value
    ) -> Result<Value, Failure> {
        let answer: HTTPAnswer
        do {
            answer = try client.post(body, to: url, key: key, timeLimit: timeLimit, sizeLimit: sizeLimit)
        } catch {
            return .failure(Self.failure(error))
        }
        guard (200..<300).contains(answer.status) else { return .failure(failure(answer)) }
        do {
            return .success(try read(JSONReader(JSONDocument(parsing: answer.body))))
        } catch {
            let reason = (error as? AnswerProblem)?.reason ?? "its answer is not JSON"
            return .failure(Failure(status: answer.status, reason: reason, isTransient: false, isProviders: true))
        }
    }

    private static func failure(_ failure: HTTPFailure) -> Failure {
        switch failure {
        case .timedOut(let limit):
            Failure(status: nil, reason: "no answer within \(limit)", isTransient: true, isProviders: true)
        case .disconnected(let reason):
            Failure(status: nil, reason: reason, isTransient: true, isProviders: true)
        case .tooLarge(let limit):
            Failure(status: nil, reason: "its answer is larger than \(limit) bytes", isTransient: false, isProviders: true)
        }
    }

    private func failure(_ answer: HTTPAnswer) -> Failure {
        let code = (try? JSONDocument(parsing: answer.body)).flatMap { format.code(ofError: JSONReader($0)) }
        let isTransient = RetryPolicy.isTransient(status: answer.status)
        return Failure(
            status: answer.status, reason: words(for: answer.status) + (code.map { " (\($0))" } ?? ""), retryAfter: answer.retryAfter,
            // A quota that is used up is answered like too many requests, and comes back with money, not with time.
            isTransient: isTransient && code != "insufficient_quota", isProviders: isTransient)
    }

    /// The provider's own words could be the texts, or the key.
    private func words(for status: Int) -> String {
        switch status {
        case 300..<400: "it redirects, which is not followed"
        case 401, 403, 498: "it does not accept the API key"
        case 404: "it has no such model, or the base URL is wrong"
        case 408: "the request took too long"
        case 413: "the texts are too long"
        case 429: "too many requests"
        case 500...: "it failed"
        default: "it does not accept the request"
        }
    }
}

/// Why there is no result of a call, after all attempts.
enum CallFailure: Error, Equatable {
    /// The caller's deadline passed before the provider could be asked.
    case late
    case failed(status: Int?, reason: String)
    case resting(remaining: Duration, reason: String)
}
