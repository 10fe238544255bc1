import Database
import Embedding
import Glibc
import HTTP
import HTTPTypes
import JSON
import Storage
import VectorSearch

/// An answer that is an error. The one place where what went wrong becomes a status and an `error_type`; nobody else knows HTTP.
struct APIError: Error {
    /// The `error_type` of the wire, with the status and the headline that go with it.
    enum ErrorType: String, CaseIterable {
        case invalidRequest = "InvalidRequestError"
        case dimensionMismatch = "DimensionMismatchError"
        case authentication = "AuthenticationError"
        case permission = "PermissionError"
        case libraryNotFound = "LibraryNotFoundError"
        case documentNotFound = "DocumentNotFoundError"
        case chunkNotFound = "ChunkNotFoundError"
        case notFound = "NotFoundError"
        case methodNotAllowed = "MethodNotAllowedError"
        case payloadTooLarge = "PayloadTooLargeError"
        case headersTooLarge = "HeadersTooLargeError"
        case unsupportedMediaType = "UnsupportedMediaTypeError"
        case conflict = "ConflictError"
        case preconditionFailed = "PreconditionFailedError"
        case validation = "ValidationError"
        case rateLimit = "RateLimitError"
        case embeddingService = "EmbeddingServiceError"
        case unavailable = "UnavailableError"
        case insufficientStorage = "InsufficientStorageError"
        case internalError = "InternalError"

        var status: HTTPResponse.Status {
            switch self {
            case .invalidRequest, .dimensionMismatch: .badRequest
            case .authentication: .unauthorized
            case .permission: .forbidden
            case .libraryNotFound, .documentNotFound, .chunkNotFound, .notFound: .notFound
            case .methodNotAllowed: .methodNotAllowed
            case .payloadTooLarge: .contentTooLarge
            case .headersTooLarge: .requestHeaderFieldsTooLarge
            case .unsupportedMediaType: .unsupportedMediaType
            case .conflict: .conflict
            case .preconditionFailed: .preconditionFailed
            case .validation: .unprocessableContent
            case .rateLimit: .tooManyRequests
            case .embeddingService, .unavailable: .serviceUnavailable
            case .insufficientStorage: .init(code: 507, reasonPhrase: "Insufficient Storage")
            case .internalError: .internalServerError
            }
        }

        var headline: String {
            switch self {
            case .invalidRequest: "Invalid request"
            case .dimensionMismatch: "Dimension mismatch"
            case .authentication: "Not authenticated"
            case .permission: "Not permitted"
            case .libraryNotFound: "Library not found"
            case .documentNotFound: "Document not found"
            case .chunkNotFound: "Chunk not found"
            case .notFound: "Not found"
            case .methodNotAllowed: "Method not allowed"
            case .payloadTooLarge: "Payload too large"
            case .headersTooLarge: "Headers too large"
            case .unsupportedMediaType: "Unsupported media type"
            case .conflict: "Conflict"
            case .preconditionFailed: "Precondition failed"
            case .validation: "Validation failed"
            case .rateLimit: "Too many requests"
            case .embeddingService: "Embedding unavailable"
            case .unavailable: "Service unavailable"
            case .insufficientStorage: "Insufficient storage"
            case .internalError: "Internal error"
            }
        }
    }

    let type: ErrorType
    let detail: String
    var problems: [JSONProblem] = []
    var headers: HTTPFields = [:]
    /// Components of a service that is not ready.
    var components: [Component] = []

    init(_ type: ErrorType, _ detail: String) {
        self.type = type
        self.detail = detail
        if type == .unavailable { headers[.retryAfter] = "1" }
    }

    /// Problems of a body or of parameters. Where they differ in kind, the most basic one decides: what is wrong in form comes
    /// before what is wrong in size, and both come before what is wrong in content.
    init(_ problems: [JSONProblem]) {
        let kinds = Set(problems.map(\.kind))
        let type: ErrorType =
            kinds.isSubset(of: JSONProblem.Kind.contentKinds)
            ? kinds.contains(.dimensionMismatch) ? .dimensionMismatch : .invalidRequest
            : .validation
        let first = problems[0].described
        self.init(type, problems.count == 1 ? first : "\(problems.count) problems, the first: \(first)")
        self.problems = problems
    }

    func response(requestID: String) -> Response {
        Response(json: type.status, headers: headers) { json in
            json.object { json in
                json.writeMembers(of: self)
                json.member("request_id", requestID)
                if !components.isEmpty { json.write(components) }
            }
        }
    }
}

extension JSONProblem.Kind {
    static let blank = JSONProblem.Kind(rawValue: "blank")
    static let dimensionMismatch = JSONProblem.Kind(rawValue: "dimension_mismatch")
    static let zeroVector = JSONProblem.Kind(rawValue: "zero_vector")
    static let normOutOfRange = JSONProblem.Kind(rawValue: "norm_out_of_range")
    static let invalidBase64 = JSONProblem.Kind(rawValue: "invalid_base64")

    /// The form is right, the content is not: answered with 400, everything else with 422.
    static let contentKinds: Set = [blank, dimensionMismatch, zeroVector, normOutOfRange, notFinite]
}

extension JSONProblem {
    /// `body.chunks[3].embedding: expected 384 numbers, got 3`
    fileprivate var described: String {
        let path = location.reduce(into: "") { text, component in
            switch component {
            case .key(let key): text += text.isEmpty ? key : ".\(key)"
            case .index(let index): text += "[\(index)]"
            }
        }
        return "\(path): \(message)"
    }
}

extension JSONWriter {
    /// What is said of an error wherever it stands.
    mutating func writeMembers(of error: APIError) {
        member("error", error.type.headline)
        member("detail", error.detail)
        member("error_type", error.type.rawValue)
        guard !error.problems.isEmpty else { return }
        key("errors")
        array { json in
            for problem in error.problems { json.write(problem) }
        }
    }

    private mutating func write(_ problem: JSONProblem) {
        object { json in
            json.key("loc")
            json.array { json in
                for component in problem.location {
                    switch component {
                    case .key(let key): json.value(key)
                    case .index(let index): json.value(index)
                    }
                }
            }
            json.member("msg", problem.message)
            json.member("type", problem.kind.rawValue)
        }
    }
}

// MARK: Errors of other rooms

extension APIError {
    /// Everything a handler may throw. What is not listed is a defect, and its details stay with us.
    init(_ error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as DatabaseError: self.init(error)
        case let error as EmbeddingError: self.init(error)
        case let error as JSONSyntaxError: self.init(.invalidRequest, "Malformed JSON: \(error.reason)")
        case let error as JSONProblems: self.init(error.problems)
        case let error as IncomingBodyError: self.init(error)
        case let error as SpooledBody.Failed:
            let hasSpace = ![ENOSPC, EDQUOT].contains(error.errno)
            self.init(
                hasSpace ? .unavailable : .insufficientStorage,
                "The results could not be kept (\(error.call): errno \(error.errno)); documents up to there may be stored")
        default: self.init(.internalError, "The request could not be handled; the log has its id")
        }
    }

    private init(_ error: DatabaseError) {
        switch error {
        case .libraryNotFound(let id): self.init(.libraryNotFound, "Library \(id) not found")
        case .documentNotFound(let id): self.init(.documentNotFound, "Document \(id) not found")
        case .chunkNotFound(let id): self.init(.chunkNotFound, "Chunk \(id) not found")
        case .lastChunk(let id, let document):
            self.init(.conflict, "Chunk \(id) is the last of its document, which keeps at least one: delete document \(document)")
        case .libraryExists(let id): self.init(.conflict, "Library \(id) exists")
        case .documentExists(let id): self.init(.conflict, "Document \(id) exists")
        case .chunkExists(let id): self.init(.conflict, "Chunk \(id) exists")
        case .repeatedChunk(let id): self.init(.conflict, "The document has chunk \(id) twice")
        case .invalidVector(let problem, let chunk):
            let location: [JSONPathComponent] =
                chunk.map { [.key("body"), .key("chunks"), .index($0), .key("embedding")] } ?? [.key("body"), .key("embedding")]
            self.init([JSONProblem(location: location, message: problem.message, kind: problem.kind)])
        case .tooManyCustomFields:
            let message = "would be more than \(Limits.maxCustomFields) fields or \(Limits.maxCustomBytes) bytes"
            self.init([JSONProblem(location: [.key("body"), .key("custom")], message: message, kind: .tooLong)])
        case .tooManyDocuments(let limit):
            self.init(.validation, "The library holds MAX_DOCUMENTS_PER_LIBRARY = \(limit) documents")
        case .tooManyChunks(let limit):
            self.init(.validation, "A document holds MAX_CHUNKS_PER_DOCUMENT = \(limit) chunks")
        case .unknownIndexParameter(let parameter, let kind):
            let location: [JSONPathComponent] = [.key("body"), .key("index_params"), .key(parameter.rawValue)]
            self.init([JSONProblem(location: location, message: "the index is '\(kind.rawValue)' by now", kind: .unknownField)])
        case .indexIsChanging:
            self.init(.conflict, "The library's index is being built anew; GET /v1/libraries/{id}/index says how far it is")
        case .changedSince(let sequence):
            self.init(.preconditionFailed, "If-Match does not match: the current ETag is \"\(sequence)\"")
        case .reembeddingIsRunning:
            self.init(
                .conflict,
                "The library is being re-embedded; GET /v1/libraries/{id}/reembed says how far it is, DELETE there cancels it")
        case .noReembedding: self.init(.conflict, "The library is not being re-embedded")
        case .reembeddingIncomplete: self.init(.conflict, "Not every document has its new vectors yet")
        case .modelChanged: self.init(.unavailable, "The library has got another embedding model just now; send the request again")
        case .snapshotNotFound(let name): self.init(.notFound, "There is no snapshot \(name)")
        case .snapshotInUse(let name):
            self.init(.conflict, "\(name) is the newest snapshot, which the next start loads; take another one first")
        case .purgeIsRunning: self.init(.conflict, "A purge is running; GET /v1/admin/purge says how far it is")
        case .memoryBudgetReached(let inUse, let budget):
            self.init(
                .insufficientStorage,
                "MEMORY_BUDGET_BYTES = \(budget) is reached: \(inUse) bytes are in use; nothing was changed, and deletions are taken")
        case .diskReserveReached(let free, let reserve):
            self.init(
                .insufficientStorage,
                "DISK_RESERVE_BYTES = \(reserve) stay free on the disk, which has \(free) left; nothing was changed, and deletions are taken"
            )
        case .storage(let error): self.init(error)
        }
    }

    private init(_ error: IncomingBodyError) {
        switch error {
        case .clientGone: self.init(.invalidRequest, "The client broke off")
        case .timedOut: self.init(.invalidRequest, "The rest of the body did not come in time")
        case .stopping: self.init(.unavailable, "The server stops; the rest of the body was not read")
        case .wrongLength(let announced, let received):
            self.init(.invalidRequest, "The body ends after \(received) of \(announced) bytes")
        }
    }

    private init(_ error: EmbeddingError) {
        switch error {
        case .providerUnavailable(let model, let reason): self.init(.embeddingService, "No text can be embedded with '\(model)': \(reason)")
        case .deadlineExceeded: self = EmbeddingGate.late
        case .providerFailed(let model, let provider, let status, let reason):
            let answer = status.map { "\(provider) answered with status \($0)" } ?? "\(provider) gave no answer"
            self.init(.embeddingService, "No text can be embedded with '\(model)' now: \(answer): \(reason)")
        case .providerResting(let model, let provider, let remaining, let reason):
            let seconds = remaining.components.seconds + 1
            self.init(
                .embeddingService,
                "No text can be embedded with '\(model)' now: \(provider) failed many times in a row and is asked again in \(seconds) s; "
                    + "the last time: \(reason)")
            headers[.retryAfter] = "\(seconds)"
        case .noDirection(let model): self.init(.embeddingService, "The model '\(model)' gave a text a vector without a direction")
        case .unreadableFile, .invalidModelFile, .unsupportedPrecision:
            // A model that cannot be loaded is unavailable from the start, with the reason.
            self.init(.embeddingService, "The model could not be loaded: \(error)")
        }
    }

    private init(_ error: StorageError) {
        switch error {
        case .insufficientSpace: self.init(.insufficientStorage, "No space is left for the write; nothing was changed")
        case .recordTooLarge(let bytes, let limit):
            self.init(.payloadTooLarge, "The document takes \(bytes) bytes in the log, the limit is \(limit)")
        case .readOnly, .ioFailed(_, _, EROFS):
            self.init(.unavailable, "The data directory is on a file system that is read-only by now; reading goes on")
        case .queueFull: self.init(.unavailable, "Too many writes are waiting for the disk")
        default: self.init(.unavailable, "The storage has stopped; nothing is written until the server restarts")
        }
    }
}

extension VectorProblem {
    var kind: JSONProblem.Kind {
        switch self {
        case .dimensionMismatch: .dimensionMismatch
        case .notFinite: .notFinite
        case .zeroVector: .zeroVector
        case .normTooSmall, .normTooLarge: .normOutOfRange
        }
    }

    var message: String {
        switch self {
        case .dimensionMismatch(let expected, let actual): "expected \(expected) numbers, got \(actual)"
        case .notFinite(let index): "number \(index) is not finite"
        case .zeroVector: "a zero vector has no direction, and the library's metric is cosine"
        case .normTooSmall(let norm, let limit): "the norm \(norm) is below \(limit), too small for the metric cosine"
        case .normTooLarge(let norm, let limit): "the norm \(norm) is above \(limit)"
        }
    }
}
