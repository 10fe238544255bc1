import JSON

/// Ollama's `POST /api/embed` (docs.ollama.com/api/embed).
struct OllamaFormat: WireFormat {
    let path = "/api/embed"
    /// One machine computes them, so larger requests would only make one caller wait for another's texts.
    let maxTexts = 64
    let maxCalls = 4

    func request(_ texts: [String], of model: RemoteModel, as inputType: EmbeddingInputType) -> [UInt8] {
        var json = JSONWriter(capacity: RemoteProvider.bytes(of: texts) + 256)
        json.object { json in
            json.member("model", model.remoteName)
            json.member("truncate", true)
            json.key("input")
            json.array(texts)
        }
        return json.finish()
    }

    func read(_ answer: JSONReader, into vectors: inout AnsweredVectors) -> Int {
        var tokens = 0
        answer.root.object(unknownField: nil) { answer in
            _ = answer.optional("embeddings") { embeddings -> Bool? in
                vectors.putAll(embeddings)
                return nil
            }
            tokens = answer.optional("prompt_eval_count") { $0.integer(in: 0...Int(Int32.max)) } ?? 0
        }
        return tokens
    }
}
