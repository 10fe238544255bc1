import TestSupport
import Testing

/// The official Python client of OpenAI, which knows nothing of Quire.
@Suite(
    "The client of OpenAI", .enabled(if: weightsDirectory != nil, "the MiniLM weights are not here"),
    .enabled(if: PythonEnvironment.openAI != nil, "the client could not be installed from PyPI"))
struct OpenAIClientTests {
    private static let script = """
        import json, sys
        import openai
        client = openai.OpenAI(base_url=sys.argv[1], api_key="anything", max_retries=0)
        texts = ["a heron stands in the water", "a bird waiting for fish", "interest rates were raised"]
        default = client.embeddings.create(model="all-minilm-l6-v2", input=texts)
        floats = client.embeddings.create(model="all-minilm-l6-v2", input=texts, encoding_format="float", dimensions=384, user="me")
        one = client.embeddings.create(model="all-minilm-l6-v2", input=texts[1])
        def dot(a, b): return sum(x * y for x, y in zip(a, b))
        vectors = [d.embedding for d in default.data]
        def refused(**arguments):
            try:
                client.embeddings.create(**arguments)
            except openai.APIStatusError as error:
                return [type(error).__name__, error.status_code, error.response.json()["detail"]]
        print(json.dumps({
            "indexes": [d.index for d in default.data], "model": default.model, "dimensions": [len(v) for v in vectors],
            "tokens": default.usage.prompt_tokens, "close": dot(vectors[0], vectors[1]), "far": dot(vectors[1], vectors[2]),
            "same": max(abs(x - y) for v, d in zip(vectors, floats.data) for x, y in zip(v, d.embedding)),
            "one": dot(one.data[0].embedding, vectors[1]),
            "unknown": refused(model="gpt-9", input="x"), "ids": refused(model="all-minilm-l6-v2", input=[1, 2, 3]),
            "short": refused(model="all-minilm-l6-v2", input="x", dimensions=7),
            "keyless": refused(model="text-embedding-3-small", input="x"),
        }))
        """

    @Test("embeds with the local model, and understands what is refused")
    func embeddings() throws {
        let quire = try QuireInstance()
        let scratch = TemporaryDirectory()

        let client = try #require(PythonEnvironment.openAI).run(
            ["-c", Self.script, "http://127.0.0.1:\(quire.port)/v1"], in: scratch)

        try #require(client.wait() == 0, "\(client.errors)")
        let said = try JSON(parsing: Array(client.output.utf8))
        #expect(said["indexes"] == [0, 1, 2] && said["model"] == "all-minilm-l6-v2" && said["dimensions"] == [384, 384, 384])
        // Words and the marks at both ends.
        #expect(try #require(said["tokens"]?.integer) >= 6 + 5 + 4 + 6)
        #expect(try #require(said["close"]?.number) > 0.4 && #require(said["far"]?.number) < 0.2)
        // The text of a number is the shortest that reads back as the same 32 bits; Python reads 64 of it.
        #expect(try #require(said["same"]?.number) < 1e-8, "base64 and numbers are the same vectors")
        #expect(try #require(said["one"]?.number) > 0.9999)
        func refusal(_ name: String) -> (type: String?, status: Int?, detail: String) {
            (said[name]?[0]?.string, said[name]?[1]?.integer, said[name]?[2]?.string ?? "")
        }
        for (name, type, status, detail) in [
            ("unknown", "UnprocessableEntityError", 422, "unknown value 'gpt-9'; known: 'all-minilm-l6-v2'"),
            ("ids", "UnprocessableEntityError", 422, "token ids are not accepted"),
            ("short", "UnprocessableEntityError", 422, "the model 'all-minilm-l6-v2' has dimension 384"),
            ("keyless", "InternalServerError", 503, "set OPENAI_API_KEY"),
        ] {
            let refusal = refusal(name)
            #expect(refusal.type == type && refusal.status == status && refusal.detail.contains(detail), "\(name): \(refusal)")
        }
    }
}
