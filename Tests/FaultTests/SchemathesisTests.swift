import FoundationEssentials
import TestSupport
import Testing

/// Schemathesis, by other people, makes requests of the OpenAPI document, good and bad ones, and holds every answer to it. Proves that the
/// document is true of nginx and responder together, also where this project's own tests did not think of something.
@Suite(
    "Faults: requests made of the OpenAPI document",
    .enabled(if: PythonEnvironment.schemathesis != nil, "Schemathesis could not be installed from PyPI"))
struct SchemathesisTests {
    @Test("no request is a server error, and none is answered otherwise than documented")
    func documented() throws {
        let examples = count("QUIRE_SCHEMATHESIS_EXAMPLES", standard: 20)
        let quire = try QuireInstance(noProvider.merging(["MAX_LINE_BYTES": "65536"]) { $1 })

        try makeRequests(of: quire, examples: examples, phases: "examples,coverage,fuzzing,stateful")

        report("Schemathesis, \(examples) examples of each operation: server errors, undocumented answers", "0, 0")
    }

    @Test(
        "nor is one where keys are asked for and rates limited: by a key with every right, by one without, and without one",
        arguments: [("admin", [200, 429]), ("read", [200, 403, 429]), (nil, [200, 401])] as [(String?, Set<Int>)])
    func guarded(right: String?, expected: Set<Int>) throws {
        let examples = count("QUIRE_GUARDED_EXAMPLES", standard: 5)
        // Low enough that some are refused, and soon let through again.
        let limits = [
            "RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_SEARCH": "5/second", "RATE_LIMIT_WRITE": "20/second", "RATE_LIMIT_CREATE": "5/second",
            "RATE_LIMIT_BURST": "3",
        ]
        let settings = ["MAX_LINE_BYTES": "65536", "API_KEYS_REQUIRED": "true", "ACCESS_LOG": "all"].merging(limits) { $1 }
        let quire = try QuireInstance(noProvider.merging(settings) { $1 })
        var headers: [String] = []
        if let right {
            let key = try quire.keys(["create", right, "--right", right])
            try quire.waitUntilKnown(key)
            headers = ["--header", "Authorization: Bearer \(key)"]
        }

        try makeRequests(of: quire, examples: examples, phases: "examples,fuzzing,stateful", headers)

        // What was to be seen was seen: one line of the access log for each request.
        var answers: [Int: Int] = [:]
        try quire.waitUntil("nginx has written its log") {
            answers = [:]
            let log = FileManager.default.contents(atPath: quire.runDirectory + "/access.log").map { Array($0) } ?? []
            for line in log.split(separator: 0x0A) {
                if let status = (try? JSON(parsing: Array(line)))?["status"]?.integer { answers[status, default: 0] += 1 }
            }
            return expected.isSubset(of: answers.keys)
        }
        #expect(answers.keys.filter { $0 >= 500 && $0 != 503 } == [])
        let counts = answers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
        let who = right.map { "a key with the right \($0)" } ?? "no key"
        report("Schemathesis with keys and limits, \(who): answers by status", counts)
    }

    /// Has it make so many requests of each operation, and more where its phases take more.
    private func makeRequests(of quire: QuireInstance, examples: Int, phases: String, _ more: [String] = []) throws {
        let seed = seed("requests made of the OpenAPI document", standard: 1)
        let scratch = TemporaryDirectory()
        let configuration = try scratch.write("schemathesis.toml", Self.configuration)

        let run = try #require(PythonEnvironment.schemathesis).run(
            [
                "-m", "schemathesis.cli", "--config-file", configuration, "run", "http://127.0.0.1:\(quire.port)/openapi.json", "--url",
                "http://127.0.0.1:\(quire.port)",
                "--checks", "all", "--max-examples", "\(examples)", "--seed", "\(seed & 0x7fff_ffff)", "--continue-on-failure",
                "--phases", phases, "--suppress-health-check", "all", "--no-color", "--exclude-path-regex", "/stream$",
                "--generation-database", "none",
            ] + more, in: scratch)

        #expect(run.wait() == 0, "\(run.output.suffix(20_000))")
        print(run.output.suffix(3000))
        #expect(quire.log.contains("a request failed unexpectedly") == false)
    }

    /// What a schema cannot say: that a filter names fields, that a vector has the length of its library, that an ETag is the one of now,
    /// that a provider has no key here (503, `EmbeddingServiceError`). Bodies of lines are none that it can make. Of a batch
    /// each document has an error of its own, within a 200.
    private static let configuration = """
        [checks.not_a_server_error]
        expected-statuses = ["2xx", "3xx", "4xx", 503]
        [checks.positive_data_acceptance]
        expected-statuses = ["2xx", "3xx", "4xx", 503]
        [checks.negative_data_rejection]
        expected-statuses = ["4xx", 503]
        [[operations]]
        include-path = "/v1/libraries/{id}/documents/batch"
        checks.negative_data_rejection.expected-statuses = [200, "4xx", 503]
        """
}
