import HTTPTypes
import TestSupport
import Testing

struct NumberTests {
    @Test("a component of a vector is stored as the nearest float, or refused with its place", arguments: Numbers.components)
    func components(text: String, verdict: Numbers.Verdict) throws {
        let server = try TestServer()
        let library = server.vectors(2)
        let body = #"{"title":"T","chunks":[{"text":"x","embedding":[1,"# + text + "]}]}"

        let reply = server.post("\(library)/documents/with-embeddings?include_embeddings=true", text: body)

        switch verdict {
        case .stored(let value):
            try #require(reply.status == 201)
            let again = server.get("\(try #require(reply.headers[.location]))?include_embeddings=true")
            for stored in [reply, again].map({ $0.json["chunks"]?[0]?["embedding"]?.floats }) {
                #expect(stored?.map(\.bitPattern) == [Float(1).bitPattern, value.bitPattern])
                #expect(stored?.allSatisfy(\.isFinite) == true)
            }
        case .malformed:
            #expect(reply.status == 400 && reply.errorType == "InvalidRequestError")
            #expect(reply.detail.hasPrefix("Malformed JSON: "))
        case .refused(let status, let kind, let place):
            #expect(reply.status == status)
            #expect(reply.locations == ["body.chunks.0.embedding\(place)"] && reply.problemTypes == [kind])
        }
        if reply.status != 201 { #expect(server.get(library).json["num_documents"] == 0) }
    }

    @Test("a query's components are judged like a document's", arguments: Numbers.components)
    func queries(text: String, verdict: Numbers.Verdict) throws {
        let server = try TestServer()
        let library = server.vectors(2)
        server.add([[1, 1]], to: library)

        let reply = server.post("\(library)/search/embedding", text: #"{"embedding":[1,"# + text + "]}")

        switch verdict {
        case .stored: #expect(reply.status == 200 && reply.json["total_results"] == 1)
        case .malformed: #expect(reply.status == 400)
        case .refused(let status, let kind, let place):
            #expect(reply.status == status)
            #expect(reply.locations == ["body.embedding\(place)"] && reply.problemTypes == [kind])
        }
    }

    @Test("what is no vector is refused", arguments: Numbers.shapes)
    func shapes(embedding: String, status: Int, kind: String) throws {
        let server = try TestServer()
        let library = server.vectors(2)

        let document = server.post(
            "\(library)/documents/with-embeddings", text: #"{"title":"T","chunks":[{"text":"x","embedding":"# + embedding + "}]}")
        let search = server.post("\(library)/search/embedding", text: #"{"embedding":"# + embedding + "}")

        for reply in [document, search] { #expect(reply.status == status && reply.problemTypes == [kind]) }
    }

    @Test("a vector without direction is refused under cosine only", arguments: Numbers.directions)
    func directions(metric: String, vector: String, problem: String?) throws {
        let server = try TestServer()
        let library = server.vectors(2, metric: metric)
        server.add([[1, 1], [-6e18, -6e18]], to: library)

        let stored = server.post(
            "\(library)/documents/with-embeddings", text: #"{"title":"T","chunks":[{"text":"x","embedding":"# + vector + "}]}")
        let found = server.post("\(library)/search/embedding", text: #"{"embedding":"# + vector + "}")

        if let problem {
            for reply in [stored, found] {
                #expect(reply.status == 400 && reply.errorType == "InvalidRequestError" && reply.problemTypes == [problem])
            }
        } else {
            #expect(stored.status == 201)
            #expect(found.status == 200 && found.json["total_results"] == 3, "every distance is a number")
        }
    }

    @Test("k is a whole number, nothing is coerced", arguments: Numbers.counts)
    func counts(k: String, problem: String?) throws {
        let server = try TestServer()

        let reply = server.post("\(server.vectors(1))/search/embedding", text: #"{"embedding":[1],"k":"# + k + "}")

        #expect(reply.status == (problem == nil ? 200 : 422))
        #expect(reply.problemTypes == (problem.map { [$0] } ?? []))
        #expect(reply.locations == (problem == nil ? [] : ["body.k"]))
    }

    @Test("a threshold is within what the metric can give", arguments: Numbers.thresholds)
    func thresholds(metric: String, threshold: String, isAccepted: Bool) throws {
        let server = try TestServer()

        let reply = server.post(
            "\(server.vectors(1, metric: metric))/search/embedding", text: #"{"embedding":[1],"distance_threshold":"# + threshold + "}")

        #expect(reply.status == (isAccepted ? 200 : 422))
        #expect(reply.locations == (isAccepted ? [] : ["body.distance_threshold"]))
    }
}
