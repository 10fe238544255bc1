import Testing

@testable import Keys

@Suite("A credential")
struct CredentialTests {
    @Test("reads back as what it was, and is of 256 random bits")
    func roundTrip() throws {
        let id = KeyID.random()
        let made = (0..<1000).map { _ in Credential(for: id) }

        #expect(Set(made.map(\.secret)).count == 1000)
        #expect(Set((0..<1000).map { _ in KeyID.random() }).count == 1000)
        for credential in made.prefix(10) {
            #expect(credential.reveal().wholeMatch(of: /qk_[0-9a-f]{12}_[0-9a-f]{64}/) != nil)
            let read = try #require(Credential(credential.reveal()))
            #expect(read.id == id && read.secret == credential.secret)
        }
        // Every bit is one as often as not.
        for digit in 0..<64 {
            let values = made.map { hexadecimalValue(Array($0.secret.utf8)[digit])! }
            for bit in 0..<4 { #expect((350...650).contains(values.count { $0 >> UInt8(bit) & 1 == 1 })) }
        }
    }

    @Test("is printed without its secret, also by what holds it")
    func printing() {
        let credential = Credential(for: .random())

        var dumped = ""
        dump([credential], to: &dumped)

        for text in ["\(credential)", String(reflecting: credential), "\(Optional(credential)!)", "\([credential])", dumped] {
            #expect(!text.contains(credential.secret))
        }
        #expect("\(credential)" == "qk_\(credential.id)_•••")
    }

    @Test("is nothing that quire keys did not make")
    func malformed() {
        let id = "0123456789ab"
        let secret = String(repeating: "0f", count: 32)
        #expect(Credential("qk_\(id)_\(secret)") != nil)

        for text in [
            "", "qk_", "qk_\(id)", "qk_\(id)_", "qk_\(id)_\(secret)0", "qk_\(id)_\(secret.dropLast())", "qk_\(id)_\(secret)_",
            "qk__\(secret)",
            "qk_\(id)\(secret)", "QK_\(id)_\(secret)", "qk_\(id.uppercased())_\(secret)", "qk_\(id)_\(secret.uppercased())",
            " qk_\(id)_\(secret)", "qk_\(id)_\(secret) ", "qk_\(id)_\(secret), qk_\(id)_\(secret)", "qk_0123456789a_\(secret)",
            "qk_0123456789ag_\(secret)", "qk_\(id)_\(secret.dropLast())é",
        ] { #expect(Credential(text) == nil, "\(text)") }
    }

    @Test("is kept as the SHA-256 of FIPS 180-4")
    func digest() {
        #expect(
            SecretDigest(of: "abc").hexadecimal == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(SecretDigest(of: "").hexadecimal == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        let digest = SecretDigest(of: "abc")
        #expect(SecretDigest(hexadecimal: digest.hexadecimal) == digest)
        #expect(digest != SecretDigest(of: "abd"))
        for text in ["", "ba78", digest.hexadecimal + "00", digest.hexadecimal.uppercased(), String(digest.hexadecimal.dropLast()) + "g"] {
            #expect(SecretDigest(hexadecimal: text) == nil)
        }
    }
}
