import FoundationEssentials
import Glibc
import TestSupport

/// A whole Quire whose system calls can be made to fail while it runs, with one library of two dimensions.
struct FaultyQuire: Sendable {
    let quire: QuireInstance
    private let library: String
    private let faults: String
    private let directory = TemporaryDirectory()

    init(_ settings: [String: String] = [:]) throws {
        faults = directory / "faults"
        let environment = try Faults.environment(faults, [])
        quire = try QuireInstance(environment.merging(noModel) { $1 }.merging(settings) { $1 })
        let reply = try quire.post("/v1/libraries", #"{"name":"test","embedding_dimension":2,"metric":"l2"}"#)
        guard case .string(let id)? = reply.json["id"] else { throw QuireInstance.Failed(what: reply.text) }
        library = id
    }

    func setFaults(_ lines: [String]) throws { try Faults.environment(faults, lines) }

    /// Returns when a sync is held by a fault.
    func waitUntilHeld() throws {
        try quire.waitUntil("a sync is held") { access(held, F_OK) == 0 }
    }

    /// Lets the sync go on that is held.
    func release() { unlink(held) }

    private var held: String { faults + ".held" }

    /// Adds document `number`, which is at that place.
    func put(_ number: Int) throws -> HTTPReply {
        let chunk = #"{"text":"\#(number)","embedding":[\#(number),1]}"#
        return try quire.post(
            "/v1/libraries/\(library)/documents/with-embeddings", #"{"id":"\#(Self.id(number))","title":"t","chunks":[\#(chunk)]}"#)
    }

    func get(_ number: Int) throws -> HTTPReply { try quire.get("/v1/documents/\(Self.id(number))") }

    func search(_ number: Int) throws -> HTTPReply {
        try quire.post("/v1/libraries/\(library)/search/embedding", #"{"embedding":[\#(number),1],"k":1}"#)
    }

    private static func id(_ number: Int) -> String {
        let digits = String(number)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
    }
}
