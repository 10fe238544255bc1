import HTTPTypes
import Testing

/// What may stand where a number is expected.
struct NumberTests {
    enum Verdict: Sendable {
        /// Stored as this.
        case stored(Float)
        /// Refused with 400: the body is not JSON.
        case malformed
        /// Refused with this status and kind of problem, at `body.chunks.0.embedding` plus this.
        case refused(Int, String, at: String)
    }

    static let numbers: [(text: String, verdict: Verdict)] =
        [
            ("0", .stored(0)), ("-0", .stored(0)), ("-0.0", .stored(-0.0)), ("-0e0", .stored(-0.0)), ("1", .stored(1)), ("-1", .stored(-1)),
            ("1.0", .stored(1)), ("1e0", .stored(1)), ("1E+2", .stored(100)), ("1e-2", .stored(0.01)), ("0.1", .stored(0.1)),
            ("16777217", .stored(16_777_216)), ("9007199254740993", .stored(9_007_199_254_740_992)),
            ("9223372036854775807", .refused(400, "norm_out_of_range", at: "")), ("1e18", .stored(1e18)), ("-8e18", .stored(-8e18)),
            ("18446744073709551615", .refused(400, "norm_out_of_range", at: "")), ("18446744073709551616", .malformed),
            ("1e-45", .stored(.leastNonzeroMagnitude)), ("1.4e-45", .stored(.leastNonzeroMagnitude)), ("5e-46", .stored(0)),
            ("1.1754942e-38", .stored(.leastNormalMagnitude.nextDown)), ("4.9e-324", .stored(0)), ("1e-400", .stored(0)),
            ("-1e-400", .stored(-0.0)),
            ("1e-99999999999", .stored(0)), ("0." + String(repeating: "0", count: 400) + "1", .stored(0)),
            ("3.4028235e38", .refused(400, "norm_out_of_range", at: "")), ("-3.4028235e38", .refused(400, "norm_out_of_range", at: "")),
            ("3.4028236e38", .refused(400, "not_finite", at: ".1")), ("1e39", .refused(400, "not_finite", at: ".1")),
            ("-1e39", .refused(400, "not_finite", at: ".1")), ("1.7976931348623157e308", .refused(400, "not_finite", at: ".1")),
            ("1e309", .malformed), ("1e400", .malformed), ("-1e400", .malformed), ("1e99999999999", .malformed),
            (String(repeating: "9", count: 400), .malformed), (String(repeating: "9", count: 400) + ".5", .malformed),
            ("0." + String(repeating: "3", count: 400), .stored(1 / 3)), ("NaN", .malformed), ("nan", .malformed), ("Infinity", .malformed),
            ("-Infinity", .malformed), ("inf", .malformed), ("+1", .malformed), ("01", .malformed), ("-", .malformed), ("1.", .malformed),
            (".5", .malformed), ("1e", .malformed), ("0x10", .malformed), ("1_000", .malformed),
            ("1,0", .refused(400, "dimension_mismatch", at: "")),
            ("null", .refused(422, "wrong_type", at: ".1")), ("true", .refused(422, "wrong_type", at: ".1")),
            (#""1""#, .refused(422, "wrong_type", at: ".1")), (#""NaN""#, .refused(422, "wrong_type", at: ".1")),
            (#""""#, .refused(422, "wrong_type", at: ".1")), ("[1]", .refused(422, "wrong_type", at: ".1")),
            ("[]", .refused(422, "wrong_type", at: ".1")), ("{}", .refused(422, "wrong_type", at: ".1")), ("", .malformed),
        ]

    @Test("a component of a vector is stored as the nearest float, or refused with its place", arguments: numbers)
    func components(text: String, verdict: Verdict) throws {
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

    @Test("a query's components are judged like a document's", arguments: numbers)
    func queries(text: String, verdict: Verdict) throws {
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

    @Test(
        "what is no vector is refused",
        arguments: [
            ("null", 422, "missing"), ("5", 422, "wrong_type"), ("true", 422, "wrong_type"), ("{}", 422, "wrong_type"),
            ("[]", 400, "dimension_mismatch"), ("[1]", 400, "dimension_mismatch"), ("[1,2,3]", 400, "dimension_mismatch"),
            ("[[1,2]]", 422, "wrong_type"), (#""x""#, 422, "invalid_base64"),
        ])
    func shapes(embedding: String, status: Int, kind: String) throws {
        let server = try TestServer()
        let library = server.vectors(2)

        let document = server.post(
            "\(library)/documents/with-embeddings", text: #"{"title":"T","chunks":[{"text":"x","embedding":"# + embedding + "}]}")
        let search = server.post("\(library)/search/embedding", text: #"{"embedding":"# + embedding + "}")

        for reply in [document, search] { #expect(reply.status == status && reply.problemTypes == [kind]) }
    }

    @Test(
        "a vector without direction is refused under cosine only",
        arguments: [
            ("cosine", "[0,0]", "zero_vector"), ("cosine", "[-0.0,0]", "zero_vector"), ("cosine", "[1e-400,0]", "zero_vector"),
            ("cosine", "[1e-45,0]", "norm_out_of_range"), ("cosine", "[1e-38,0]", nil), ("l2", "[0,0]", nil), ("l2", "[1e-45,0]", nil),
            ("dot", "[0,0]", nil), ("dot", "[-0.0,0]", nil), ("cosine", "[9e18,9e18]", "norm_out_of_range"),
            ("l2", "[9e18,9e18]", "norm_out_of_range"), ("dot", "[9e18,9e18]", "norm_out_of_range"), ("dot", "[6e18,6e18]", nil),
        ])
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

    @Test(
        "k is a whole number, nothing is coerced",
        arguments: [
            ("1", nil), ("100", nil), ("null", nil), ("0", "out_of_range"), ("-0", "out_of_range"), ("-1", "out_of_range"),
            ("101", "out_of_range"), ("9223372036854775807", "out_of_range"), ("-9223372036854775808", "out_of_range"),
            ("18446744073709551615", "out_of_range"), ("1.0", "wrong_type"), ("1e1", "wrong_type"), (#""5""#, "wrong_type"),
            ("true", "wrong_type"), ("[1]", "wrong_type"), ("{}", "wrong_type"),
        ])
    func counts(k: String, problem: String?) throws {
        let server = try TestServer()

        let reply = server.post("\(server.vectors(1))/search/embedding", text: #"{"embedding":[1],"k":"# + k + "}")

        #expect(reply.status == (problem == nil ? 200 : 422))
        #expect(reply.problemTypes == (problem.map { [$0] } ?? []))
        #expect(reply.locations == (problem == nil ? [] : ["body.k"]))
    }

    @Test(
        "a threshold is within what the metric can give",
        arguments: [
            ("cosine", "0", true), ("cosine", "2", true), ("cosine", "2.0000001", false), ("cosine", "-0.1", false),
            ("cosine", "1e-400", true),
            ("l2", "0", true), ("l2", "3.4028234663852886e38", true), ("l2", "1e39", false), ("l2", "-1e-45", false), ("l2", "-0.0", true),
            ("dot", "-5", true), ("dot", "1e38", true), ("dot", "-1e39", false), ("cosine", #""1""#, false), ("cosine", "null", true),
            ("cosine", "[1]", false),
        ])
    func thresholds(metric: String, threshold: String, isAccepted: Bool) throws {
        let server = try TestServer()

        let reply = server.post(
            "\(server.vectors(1, metric: metric))/search/embedding", text: #"{"embedding":[1],"distance_threshold":"# + threshold + "}")

        #expect(reply.status == (isAccepted ? 200 : 422))
        #expect(reply.locations == (isAccepted ? [] : ["body.distance_threshold"]))
    }
}
