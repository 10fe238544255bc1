import JSON

/// OpenAI's `POST /v1/embeddings` (platform.openai.com/docs/api-reference/embeddings), which many servers speak.
struct OpenAIFormat: WireFormat {
    let path = "/embeddings"
    let maxTexts = 2048
    let maxCalls = 8

    /// Words of `error.code` and `error.type` that are passed on. A list, because a server could answer with anything, also with what
    /// it was sent.
    private static let knownCodes: Set = [
        "insufficient_quota", "rate_limit_exceeded", "invalid_api_key", "model_not_found", "context_length_exceeded",
        "billing_not_active", "account_deactivated", "unsupported_country_region_territory", "invalid_request_error", "server_error",
    ]

    func request(_ texts: [String], of model: RemoteModel, as inputType: EmbeddingInputType) -> [UInt8] {
        var json = JSONWriter(capacity: RemoteProvider.bytes(of: texts) + 256)
        json.object { json in
            json.member("model", model.remoteName)
            // A quarter of the bytes of numbers as text, and exact.
            json.member("encoding_format", "base64")
            if model.requestsDimension { json.member("dimensions", model.dimension) }
            json.key("input")
            json.array(texts)
        }
        return json.finish()
    }

    func read(_ answer: JSONReader, into vectors: inout AnsweredVectors) -> Int {
        var tokens = 0
        answer.root.object(unknownField: nil) { answer in
            _ = answer.optional("data") { data in
                data.array(count: 0...Int.max) { element -> Bool? in
                    element.object(unknownField: nil) { element in
                        let position = element.optional("index") { $0.integer(in: 0...Int(Int32.max)) }
                        vectors.put(element.optional("embedding", Self.vector), at: position ?? -1)
                    }
                    return nil
                }
            }
            _ = answer.optional("usage") { usage -> Bool? in
                usage.object(unknownField: nil) { tokens = $0.optional("prompt_tokens") { $0.integer(in: 0...Int(Int32.max)) } ?? 0 }
                return nil
            }
        }
        return tokens
    }

    /// Base64, or numbers from servers that know no base64.
    private static func vector(_ value: JSONValue) -> [Float]? {
        switch value.type {
        case .string: value.string().flatMap(Base64.floats)
        case .array: value.floats(expected: 0)
        default: nil
        }
    }

    func code(ofError answer: JSONReader) -> String? {
        var code: String?
        answer.root.object(unknownField: nil) { answer in
            _ = answer.optional("error") { error -> Bool? in
                error.object(unknownField: nil) { error in
                    code = [error.optional("code") { $0.string() }, error.optional("type") { $0.string() }]
                        .compactMap(\.self).first { Self.knownCodes.contains($0) }
                }
                return nil
            }
        }
        return code
    }
}
