import JSON

/// Cohere's `POST /v2/embed` (docs.cohere.com/reference/embed).
struct CohereFormat: WireFormat {
    let path = "/v2/embed"
    let maxTexts = 96
    let maxCalls = 8

    func request(_ texts: [String], of model: RemoteModel, as inputType: EmbeddingInputType) -> [UInt8] {
        var json = JSONWriter(capacity: RemoteProvider.bytes(of: texts) + 256)
        json.object { json in
            json.member("model", model.remoteName)
            json.member("input_type", inputType == .query ? "search_query" : "search_document")
            json.key("embedding_types")
            json.array(["float"])
            json.member("truncate", "END")
            if model.requestsDimension { json.member("output_dimension", model.dimension) }
            json.key("texts")
            json.array(texts)
        }
        return json.finish()
    }

    func read(_ answer: JSONReader, into vectors: inout AnsweredVectors) -> Int {
        var tokens = 0
        answer.root.object(unknownField: nil) { answer in
            _ = answer.optional("embeddings") { embeddings -> Bool? in
                embeddings.object(unknownField: nil) { types in
                    _ = types.optional("float") { floats -> Bool? in
                        vectors.putAll(floats)
                        return nil
                    }
                }
                return nil
            }
            _ = answer.optional("meta") { meta -> Bool? in
                meta.object(unknownField: nil) { meta in
                    _ = meta.optional("billed_units") { units -> Bool? in
                        units.object(unknownField: nil) { units in
                            // A number of JavaScript: "12" or "12.0".
                            tokens = units.optional("input_tokens") { $0.number() }.flatMap(Int.init(exactly:)) ?? 0
                        }
                        return nil
                    }
                }
                return nil
            }
        }
        return tokens
    }
}
