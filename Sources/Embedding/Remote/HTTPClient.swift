import CCurl
import Glibc
import Locks

/// Posts JSON over HTTP, with libcurl.
///
/// May be called from many threads; each call has a libcurl handle to itself. Handles are kept with their connections, so calls one
/// after another to one server use one connection. Redirects are an answer like any other: whoever answers must not choose where texts
/// and keys go. For the same reason proxies of the environment (`HTTPS_PROXY` and the like) and `.netrc` are not used. Certificates are
/// checked against those the system trusts.
// Sound as Sendable: `idle` is read and written under `lock`, and a handle has one user between `take` and `give`.
final class HTTPClient: @unchecked Sendable {
    private static let connectLimit = Duration.seconds(10)
    private static let maxIdle = 16

    /// libcurl's own initialisation, once for the process. Swift runs it on first use, in one thread.
    private static let isInitialized: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    private let lock = Lock()
    private var idle: [UnsafeMutableRawPointer] = []

    init() {
        precondition(Self.isInitialized, "libcurl can be initialised")
    }

    deinit {
        for handle in idle { curl_easy_cleanup(handle) }
    }

    /// Sends `body` to `url` and waits for the whole answer, whatever its status.
    ///
    /// - Parameters:
    ///   - url: http or https.
    ///   - timeLimit: for everything, from the look-up of the name to the last byte.
    ///   - sizeLimit: of the answer's body, in bytes. It is not read further.
    func post(
        _ body: [UInt8], to url: String, key: APIKey?, timeLimit: Duration, sizeLimit: Int
    ) throws(HTTPFailure) -> HTTPAnswer {
        let handle = take()
        defer { give(handle) }
        var headers: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(headers) }
        // An empty "Expect" keeps libcurl from asking first whether a large body is welcome, which not every server answers.
        for header in ["Content-Type: application/json", "Accept: application/json", "Expect:", key?.authorization].compactMap(\.self) {
            headers = curl_slist_append(headers, header)
        }
        let answer = AnswerBuffer(limit: sizeLimit)
        let code = body.withUnsafeBytes { body in
            Self.configure(handle, url, timeLimit)
            set(quire_curl_set_headers(handle, headers))
            set(quire_curl_set_body(handle, body.baseAddress, body.count))
            // Sound: `answer` outlives the transfer, which is over when `perform` returns.
            return withExtendedLifetime(answer) {
                set(quire_curl_set_receiver(handle, receive, Unmanaged.passUnretained(answer).toOpaque()))
                return curl_easy_perform(handle)
            }
        }
        if answer.isTooLarge { throw .tooLarge(limit: sizeLimit) }
        if code == CURLE_OPERATION_TIMEDOUT { throw .timedOut(after: timeLimit) }
        guard code == CURLE_OK else { throw .disconnected(reason: String(cString: curl_easy_strerror(code))) }
        return HTTPAnswer(status: Int(quire_curl_status(handle)), retryAfter: header("Retry-After", of: handle), body: answer.bytes)
    }

    private static func configure(_ handle: UnsafeMutableRawPointer, _ url: String, _ timeLimit: Duration) {
        set(quire_curl_set_text(handle, CURLOPT_URL, url))
        set(quire_curl_set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https"))
        set(quire_curl_set_text(handle, CURLOPT_PROXY, ""))
        set(quire_curl_set_text(handle, CURLOPT_USERAGENT, "quire"))
        set(quire_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0))
        // A signal handler for slow name servers would be the whole process's.
        set(quire_curl_set_long(handle, CURLOPT_NOSIGNAL, 1))
        // Nor is a thread that still waits for a name server waited for.
        set(quire_curl_set_long(handle, CURLOPT_QUICK_EXIT, 1))
        set(quire_curl_set_long(handle, CURLOPT_MAXCONNECTS, 2))
        // 0 would mean no limit.
        set(quire_curl_set_long(handle, CURLOPT_TIMEOUT_MS, max(1, milliseconds(timeLimit))))
        set(quire_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, max(1, milliseconds(min(timeLimit, connectLimit)))))
    }

    private func take() -> UnsafeMutableRawPointer {
        if let handle = lock.withLock({ idle.popLast() }) { return handle }
        guard let handle = curl_easy_init() else { preconditionFailure("out of memory for a libcurl handle") }
        return handle
    }

    private func give(_ handle: UnsafeMutableRawPointer) {
        // Forgets the options, the key among them, and keeps the connections.
        curl_easy_reset(handle)
        let isKept = lock.withLock {
            guard idle.count < Self.maxIdle else { return false }
            idle.append(handle)
            return true
        }
        if !isKept { curl_easy_cleanup(handle) }
    }
}

/// An answer, whatever its status.
struct HTTPAnswer: Sendable {
    let status: Int
    /// The header as it was sent.
    let retryAfter: String?
    let body: [UInt8]
}

/// Why there is no answer.
enum HTTPFailure: Error, Equatable {
    case timedOut(after: Duration)
    case tooLarge(limit: Int)
    /// In the words of libcurl, which name neither the address nor what was sent.
    case disconnected(reason: String)
}

/// The body of an answer while it arrives.
private final class AnswerBuffer {
    private(set) var bytes: [UInt8] = []
    private(set) var isTooLarge = false
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    /// Returns whether there is room.
    func append(_ received: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count + received.count <= limit else {
            isTooLarge = true
            return false
        }
        bytes.append(contentsOf: received)
        return true
    }
}

private func receive(_ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?) -> Int {
    let answer = Unmanaged<AnswerBuffer>.fromOpaque(context!).takeUnretainedValue()
    return answer.append(UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
}

/// The last header of this name in the answer.
private func header(_ name: String, of handle: UnsafeMutableRawPointer) -> String? {
    var found: UnsafeMutablePointer<curl_header>?
    guard curl_easy_header(handle, name, 0, UInt32(CURLH_HEADER), -1, &found) == CURLHE_OK, let found else { return nil }
    return String(cString: found.pointee.value)
}

/// Options fail only for want of memory, or if libcurl was built without what its package always has.
private func set(_ code: CURLcode) {
    precondition(code == CURLE_OK, "libcurl takes the option: \(String(cString: curl_easy_strerror(code)))")
}

private func milliseconds(_ duration: Duration) -> Int {
    let (seconds, attoseconds) = duration.components
    return Int(min(seconds, 1_000_000)) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
}
