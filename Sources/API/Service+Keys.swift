import Database
import HTTP
import HTTPTypes
import Keys
import Logging
import Settings

extension Service {
    /// Lets a request pass, or not: who it is from, whether that is a right they have, whether they come too often, and whether they may
    /// know of what it is about.
    ///
    /// - Throws: 401, 403, 429, 404; 503 while the key ring cannot be used.
    func admit(_ request: Request, to demand: Demand, _ path: PathParameters) throws -> Access {
        guard let right = demand.right, let keyRing else { return .unrestricted }
        let access = try Self.access(of: request, keyRing)
        try limit(access, demand)
        guard access.right >= right else {
            throw APIError(.permission, "This needs a key with the right '\(right.rawValue)'; the key has '\(access.right.rawValue)'")
        }
        try requireVisible(demand.subject, path, to: access)
        return access
    }

    private static func access(of request: Request, _ keyRing: LiveKeyRing) throws -> Access {
        let ring: KeyRing
        do {
            ring = try keyRing.current.get()
        } catch {
            throw APIError(.unavailable, "No key can be checked: \(error.summary)")
        }
        guard let credential = try credential(of: request) else { throw APIError.unauthenticated("The key is not known") }
        do throws(KeyRefusal) {
            return try ring.access(of: credential, at: .now())
        } catch {
            switch error {
            case .unknown: throw APIError.unauthenticated("The key is not known")
            case .expired: throw APIError.unauthenticated("The key has expired")
            }
        }
    }

    /// `nil` for something that no key looks like.
    private static func credential(of request: Request) throws -> Credential? {
        let bearer = request.headers[.authorization].flatMap(bearerToken)
        let header = request.headers[.apiKey]
        guard let text = bearer ?? header else {
            throw APIError.unauthenticated("This needs a key: 'Authorization: Bearer KEY' or 'X-API-Key: KEY'", isMissing: true)
        }
        guard header == nil || header == text else { throw APIError.unauthenticated("Two headers have different keys") }
        return Credential(text)
    }

    /// RFC 6750, section 2.1. Another scheme is somebody else's, such as a proxy's.
    private static func bearerToken(_ header: String) -> String? {
        let parts = header.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard let scheme = parts.first, scheme.lowercased() == "bearer" else { return nil }
        return parts.count == 2 ? String(parts[1].drop { $0 == " " }) : ""
    }

    private func limit(_ access: Access, _ demand: Demand) throws {
        guard let kind = demand.rateClass, let key = access.key, let rateLimiter else { return }
        guard let wait = rateLimiter.take(kind, of: key) else { return }
        // As nginx says it of an address.
        let seconds = max(1, Int((wait / .seconds(1)).rounded(.up)))
        var error = APIError(.rateLimit, "More \(kind.rawValue) requests than one key may send; try again in \(seconds) s")
        error.headers[.retryAfter] = "\(seconds)"
        throw error
    }

    /// What belongs to a library that the key is not for is not there: the answer is that of what does not exist, for the same reasons
    /// and as early.
    private func requireVisible(_ subject: Demand.Subject, _ path: PathParameters, to access: Access) throws {
        guard access.libraries != .all else { return }
        guard subject != .everything else { throw APIError(.permission, "This needs a key for all libraries; the key is for some") }
        guard let library = try library(of: subject, path), !access.libraries.contains(library) else { return }
        switch subject {
        case .none, .everything: return
        case .library: throw DatabaseError.libraryNotFound(library)
        case .document: throw DatabaseError.documentNotFound(try path.identifier("id"))
        case .chunk: throw DatabaseError.chunkNotFound(try path.identifier("id"))
        }
    }

    /// The library that a request is about; `nil` if it is about none in particular.
    ///
    /// - Throws: 422, and 404 where its document or chunk is not there.
    func library(of subject: Demand.Subject, _ path: PathParameters) throws -> LibraryID? {
        switch subject {
        case .none, .everything: nil
        case .library: try path.identifier("id")
        case .document: try database.document(path.identifier("id")).document.libraryID
        case .chunk: try database.view(of: path.identifier("id")).document.libraryID
        }
    }
}

extension Request {
    /// Whoever reads a request after it was admitted has no key to let out.
    var withoutKeys: Request {
        guard headers.contains(.authorization) || headers.contains(.apiKey) else { return self }
        var request = self
        request.headers[.authorization] = nil
        request.headers[.apiKey] = nil
        return request
    }
}

extension LibraryScope {
    /// For a list; `nil`: all of them.
    var ids: Set<LibraryID>? { if case .only(let ids) = self { ids } else { nil } }
}

extension APIError {
    /// With the challenge that goes with every 401 (RFC 9110, section 11.6.1, and RFC 6750, section 3).
    fileprivate static func unauthenticated(_ detail: String, isMissing: Bool = false) -> APIError {
        var error = APIError(.authentication, detail)
        error.headers[.wwwAuthenticate] = isMissing ? #"Bearer realm="quire""# : #"Bearer realm="quire", error="invalid_token""#
        return error
    }
}

extension HTTPField.Name {
    static let apiKey = HTTPField.Name("X-API-Key")!
}

extension LiveKeyRing {
    /// The ring of the settings, which says in the log what becomes of it; `nil` where nobody needs a key.
    convenience init?(_ settings: Settings, _ logger: Logger) {
        guard settings.apiKeysRequired else { return nil }
        let report: @Sendable (State) -> Void = { state in
            switch state {
            case .success(let ring):
                logger.info("the key ring was read", metadata: ["keys": "\(ring.count)"])
            case .failure(let error):
                logger.error("the key ring cannot be used: everything that needs a key is refused", metadata: ["error": "\(error)"])
            }
        }
        self.init(KeyRingFile(settings.keysFile), changed: report)
    }

    /// For `GET /ready`.
    var component: Component {
        switch current {
        case .failure(let error): Component(name: "keys", isReady: false, detail: error.summary)
        case .success(let ring):
            Component(
                name: "keys", isReady: true,
                detail: ring.hasUsableKey(at: .now()) ? "required" : "required, and there is none yet: quire keys create")
        }
    }
}
