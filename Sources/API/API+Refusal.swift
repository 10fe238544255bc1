package import HTTP
import HTTPTypes

/// Why a request never reached its handler. Nothing of it has been executed.
package enum Refusal: Sendable, Equatable {
    case bodyTooLarge(limit: Int)
    case bodyIncomplete(expected: Int, received: Int)
    case headersTooLarge(limit: Int)
    case tooManyStreams(limit: Int)
    case overloaded(RequestClass)
    case malformed(String)
}

extension API {
    /// Answers a request that the transport would not hand over, in the shape that every error has.
    package func refuse(_ request: Request, _ refusal: Refusal) -> Response {
        let error =
            switch refusal {
            case .bodyTooLarge(let limit): APIError(.payloadTooLarge, "The body is larger than MAX_BODY_BYTES = \(limit)")
            case .bodyIncomplete(let expected, let received):
                APIError(.invalidRequest, "The body ends after \(received) of \(expected) bytes")
            case .headersTooLarge(let limit): APIError(.headersTooLarge, "The request has more than \(limit) header fields")
            case .tooManyStreams(let limit):
                APIError(.unavailable, "As many streams are running as may at one time: \(limit)")
            case .overloaded(let requestClass):
                APIError(.unavailable, "There are more \(requestClass.rawValue) requests than can be answered; nothing was done")
            case .malformed(let reason): APIError(.invalidRequest, reason)
            }
        return answer(request, with: error)
    }

    /// What every response has.
    func complete(_ response: Response, for request: Request) -> Response {
        var response = response
        response.headers[.requestID] = request.id
        // Nobody knows the length of a stream before its end.
        if response.stream == nil && response.status != .noContent && response.status != .notModified {
            response.headers[.contentLength] = String(response.body.count)
        }
        if request.method == .head { response.body = [] }
        return response
    }
}
