import Database
import Testing

@testable import Keys

@Suite("The key ring")
struct KeyRingTests {
    @Test("gives each key its right and its libraries, and nobody else anything")
    func access() throws {
        let (library, other) = (LibraryID.random(), LibraryID.random())
        var ring = KeyRing()
        let reader = try ring.create(name: "reader", right: .read, libraries: .only([library]), at: noon)
        let admin = try ring.create(name: "admin", right: .admin, at: noon)

        let read = try ring.access(of: reader, at: noon)
        #expect(read == Access(key: reader.id, right: .read, libraries: .only([library])))
        #expect(read.libraries.contains(library) && !read.libraries.contains(other))
        let all = try ring.access(of: admin, at: noon)
        #expect(all.right == .admin && all.libraries.contains(other))
        let (nobody, impostor) = (Credential(for: .random()), Credential(for: reader.id))
        #expect(ring.refusal(of: nobody) == .unknown && ring.refusal(of: impostor) == .unknown)
        let swapped = try #require(Credential("qk_\(reader.id)_\(admin.secret)"))
        #expect(ring.refusal(of: swapped) == .unknown)
        #expect(KeyRing().refusal(of: reader) == .unknown)
    }

    @Test("has rights that include those before them")
    func rights() {
        #expect(Right.allCases == [.read, .write, .admin])
        #expect(Right.read < .write && .write < .admin && !(Right.admin < .read))
    }

    @Test("refuses a key from the moment it expires, and says so only to who has the secret")
    func expiry() throws {
        var ring = KeyRing()
        let end = noon.adding(.seconds(60))
        let credential = try ring.create(name: "k", right: .read, expires: end, at: noon)

        #expect(ring.refusal(of: credential, at: end.adding(.milliseconds(-1))) == nil)
        #expect(ring.refusal(of: credential, at: end) == .expired)
        #expect(ring.refusal(of: Credential(for: credential.id), at: end) == .unknown)
        #expect(ring.hasUsableKey(at: noon) && !ring.hasUsableKey(at: end) && !KeyRing().hasUsableKey(at: noon))
    }

    @Test("refuses a key that was revoked")
    func revocation() throws {
        var ring = KeyRing()
        let (one, two) = (try ring.create(name: "one", right: .read, at: noon), try ring.create(name: "two", right: .read, at: noon))

        #expect(try ring.revoke(one.id).name == "one")

        #expect(ring.refusal(of: one) == .unknown && ring.refusal(of: two) == nil)
        #expect(throws: KeysError.unknownKey(one.id)) { try ring.revoke(one.id) }
        #expect(throws: KeysError.unknownKey(one.id)) { try ring.rotate(one.id, overlap: .zero, at: noon) }
    }

    @Test("takes the new secret of a rotated key, the old one for the overlap, and none before it")
    func rotation() throws {
        var ring = KeyRing()
        let first = try ring.create(name: "k", right: .write, at: noon)

        let second = try ring.rotate(first.id, overlap: .seconds(10), at: noon)
        #expect(second.id == first.id)
        #expect(ring.refusal(of: first) == nil && ring.refusal(of: second) == nil)
        #expect(ring.refusal(of: first, at: noon.adding(.milliseconds(9999))) == nil)
        #expect(ring.refusal(of: first, at: noon.adding(.seconds(10))) == .unknown)
        let third = try ring.rotate(first.id, overlap: .seconds(10), at: noon)
        #expect(ring.refusal(of: first) == .unknown && ring.refusal(of: second) == nil && ring.refusal(of: third) == nil)
        let fourth = try ring.rotate(first.id, overlap: .zero, at: noon)
        #expect(ring.refusal(of: third) == .unknown && ring.refusal(of: fourth) == nil)
        #expect(try ring.access(of: fourth, at: noon).right == .write)
    }

    @Test("reads back as it was written, and holds no secret")
    func coding() throws {
        var ring = KeyRing()
        var credentials = [try ring.create(name: "plain \"ü\"", right: .read, at: noon)]
        credentials.append(
            try ring.create(
                name: "all", right: .write, libraries: .only([.random(), .random()]), expires: noon.adding(.seconds(1)), at: noon))
        credentials.append(try ring.create(name: "none", right: .read, libraries: .only([]), at: noon))
        credentials.append(try ring.rotate(credentials[0].id, overlap: .seconds(9), at: noon))

        let bytes = ring.encoded()

        #expect(try KeyRing(decoding: bytes) == ring)
        #expect(try KeyRing(decoding: KeyRing().encoded()) == KeyRing())
        let text = String(decoding: bytes, as: UTF8.self)
        for credential in credentials {
            #expect(text.contains(credential.id.description) && !text.contains(credential.secret))
        }
    }

    private static let digest = String(repeating: "0", count: 64)
    private static let good = #"{"id":"0123456789ab","name":"n","right":"read","created":"2026-01-01","sha256":"\#(digest)"}"#

    @Test(
        "refuses what it has not written, says where, and quotes no value",
        arguments: [
            ("", "it is not well-formed JSON"), ("{", "it is not well-formed JSON"), ("[]", "the whole: wrong_type"),
            (#"{"version":2,"keys":[]}"#, "version: out_of_range"), (#"{"keys":[]}"#, "version: missing"),
            (#"{"version":1}"#, "keys: missing"), (#"{"version":1,"keys":[],"more":1}"#, "more: unknown_field"),
            (#"{"version":1,"keys":[\#(good),\#(good)]}"#, "two keys have one id"),
            (#"{"version":1,"keys":[\#(good.replacing("\"read\"", with: "\"root\""))]}"#, "keys[0].right: unknown_value"),
            (#"{"version":1,"keys":[\#(good.replacing(digest, with: "SECRET"))]}"#, "keys[0].sha256: unknown_value"),
            (#"{"version":1,"keys":[\#(good.replacing("0123456789ab", with: "SECRET"))]}"#, "keys[0].id: unknown_value"),
            (#"{"version":1,"keys":[\#(good.replacing("2026-01-01", with: "SECRET"))]}"#, "keys[0].created: unknown_value"),
            (#"{"version":1,"keys":[\#(good.replacing("\"n\"", with: "\"\""))]}"#, "keys[0].name: too_short"),
            (#"{"version":1,"keys":[\#(good.dropLast()),"libraries":["SECRET"]}]}"#, "keys[0].libraries[0]: unknown_value"),
            (#"{"version":1,"keys":[\#(good.dropLast()),"expires":1}]}"#, "keys[0].expires: wrong_type"),
            (#"{"version":1,"keys":[\#(good.dropLast()),"previous":{"sha256":"\#(digest)"}}]}"#, "keys[0].previous.until: missing"),
            (
                #"{"version":1,"keys":[\#(good.replacing("\"read\"", with: "\"admin\"").dropLast()),"libraries":[]}]}"#,
                "keys[0].libraries: unknown_value"
            ),
        ])
    func unreadable(text: String, reason: String) throws {
        #expect(try KeyRing(decoding: Array(#"{"version":1,"keys":[\#(Self.good)]}"#.utf8)).count == 1)

        let error = #expect(throws: KeyRing.Unreadable.self) { try KeyRing(decoding: Array(text.utf8)) }

        #expect(error?.reason == reason)
    }
}
