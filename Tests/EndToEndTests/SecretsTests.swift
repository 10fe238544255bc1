import FoundationEssentials
import TestSupport
import Testing

/// What is to be nowhere but where it was sent.
///
/// Every Quire of these tests has the key of a provider, and is searched for it when it ends, and for every key that was made for it.
@Suite("Secrets of a running Quire")
struct SecretsTests {
    @Test("are found wherever one is let out, so no test can end with one in a log")
    func planted() throws {
        let quire = try QuireInstance(noModel.merging(["API_KEYS_REQUIRED": "true"]) { $1 })
        let key = try quire.keys(["create", "reader"])
        let provider = try #require(quire.environment["COHERE_API_KEY"])
        #expect(provider.count > 16 && key.count > 64 && quire.leaks() == [])

        for secret in [provider, key] {
            for place in ["errors-planted", "output-planted", "run/access.log.1"] {
                // Zeros do not end the search.
                let file = try quire.directory.write(place, "{\0\"key\":\"\(secret)\"}\n")
                #expect(quire.leaks() == [file])
                try FileManager.default.removeItem(atPath: file)
            }
        }
        // A program of the instance that has the environment of the server, and shows it.
        let talkative = try ChildProcess(
            "/bin/sh", ["-c", "echo \"$COHERE_API_KEY\" >&2"], environment: quire.environment, in: quire.directory)
        #expect(talkative.wait() == 0)
        let leaks = quire.leaks()
        #expect(leaks.count == 1 && leaks.allSatisfy { $0.contains("/errors-") })
        for leak in leaks { try FileManager.default.removeItem(atPath: leak) }
        // The label of a figure.
        quire.keep(secret: "quire_build_info")
        #expect(quire.leaks() == ["/metrics"])
        quire.forgetLastSecret()
        #expect(quire.leaks() == [])
    }

    @Test("texts, names, fields, filters and queries are in no log, whatever its level, and in no figure")
    func contents() throws {
        let quire = try QuireInstance(
            noModel.merging(["LOG_LEVEL": "trace", "REQUEST_LOG": "all", "ACCESS_LOG": "all", "SLOW_QUERY_MS": "1"]) { $1 })
        let marker = "m4rker"
        quire.keep(secret: marker)
        let made = try quire.post(
            "/v1/libraries", #"{"name":"\#(marker)","description":"\#(marker)","embedding_dimension":2}"#)
        let library = try #require(made["location"], "\(made.text)")
        let fields = #""title":"\#(marker)","author":"\#(marker)","tags":["\#(marker)"],"custom":{"\#(marker)":"\#(marker)"}"#

        let added = try quire.post(
            "\(library)/documents/with-embeddings", #"{\#(fields),"chunks":[{"text":"\#(marker)","embedding":[1,0]}]}"#)
        let document = try #require(added["location"], "\(added.text)")
        let found = try quire.post("\(library)/search/embedding", #"{"embedding":[1,0],"filter":{"author":"\#(marker)"}}"#)
        #expect(added.status == 201 && found.json["total_results"] == 1 && found.text.contains(marker))
        let listed = try quire.get("\(library)/documents?filter=%7B%22author%22%3A%22\(marker)%22%7D")
        #expect(listed.json.array?.count == 1)
        let stream = try quire.send(
            "POST", "\(library)/documents/stream", headers: ["Content-Type": "application/x-ndjson"],
            body: Array("{\(fields),\"chunks\":[{\"text\":\"\(marker)\",\"embedding\":[0,1]}]}\n\(marker)\n".utf8))
        #expect(stream.status == 200)
        // What is refused, at every stage.
        func isRefused(_ path: String, _ body: String) throws -> Bool { try quire.post(path, body).status >= 400 }
        #expect(try isRefused("\(library)/documents", #"{"title":"\#(marker)","\#(marker)":1}"#))
        #expect(try isRefused("\(library)/documents", #"{"title":"\#(marker)"#))
        #expect(try isRefused("\(library)/documents", #"{\#(fields),"texts":["\#(marker)"]}"#))
        #expect(try isRefused("\(library)/search", #"{"query":"\#(marker)","k":1}"#))
        #expect(try isRefused("/v1/embeddings", #"{"model":"\#(marker)","input":"\#(marker)"}"#))
        #expect(try isRefused("/v1/libraries", #"{"name":"n","embedding_model":"\#(marker)"}"#))
        #expect(try quire.get("\(library)/documents?\(marker)=\(marker)").status == 422)
        #expect(try quire.delete(document).status == 204)

        #expect(quire.leaks() == [])
        try quire.waitUntil("nginx has written its log") {
            FileManager.default.contents(atPath: quire.runDirectory + "/access.log")
                .map { String(decoding: $0, as: UTF8.self).contains("\"DELETE\"") } ?? false
        }
        #expect(quire.stopServer() == 0)
        #expect(quire.lastLog.contains("/v1/libraries/{id}/search/embedding"), "the log was looked at")
        #expect(quire.leaks() == [])
    }
}
