import Embedding
import JSON
import Settings

/// The body of `POST /v1/embeddings`.
struct EmbeddingRequest {
    enum Encoding: String, CaseIterable {
        case float, base64
    }

    /// What OpenAI's wire format does not have and some models ask for.
    enum InputType: String, CaseIterable {
        case document, query
    }

    let texts: [String]
    let model: EmbeddingModel
    let encoding: Encoding
    let inputType: EmbeddingInputType

    /// As many as OpenAI takes.
    static let maxTexts = 2048

    init(_ reader: JSONReader, _ settings: Settings, _ catalogue: ModelCatalogue) throws {
        var texts: [String]?
        var model: EmbeddingModel?
        var encoding = Encoding.float
        var inputType = InputType.document
        reader.readObject { object in
            texts = object.required("input") { $0.texts(maxLength: settings.maxChunkLength) }
            model = object.required("model") { $0.model(in: catalogue) }
            encoding = object.optional("encoding_format") { $0.choice(of: Encoding.self) } ?? .float
            inputType = object.optional("input_type") { $0.choice(of: InputType.self) } ?? .document
            // Whom the caller asks for is the caller's business.
            _ = object.optional("user") { $0.string() }
            if let dimension = object.optional("dimensions", { $0.integer(in: 1...Int(Int32.max)) }), let model,
                dimension != model.dimension
            {
                object.note(.outOfRange, at: "dimensions", "the model '\(model.name)' has dimension \(model.dimension)")
            }
        }
        try reader.finish()
        self.texts = texts!
        self.model = model!
        self.encoding = encoding
        self.inputType = inputType == .query ? .query : .document
    }
}

extension JSONValue {
    /// One text, or several.
    fileprivate func texts(maxLength: Int) -> [String]? {
        if type == .string { return text(maxLength: maxLength).map { [$0] } }
        return array(count: 1...EmbeddingRequest.maxTexts) { element in
            guard element.type != .number, element.type != .array else {
                element.note(.wrongType, "token ids are not accepted: send the text")
                return nil
            }
            return element.text(maxLength: maxLength)
        }
    }

    func model(in catalogue: ModelCatalogue) -> EmbeddingModel? {
        guard let name = string() else { return nil }
        if let model = catalogue.model(named: name) { return model }
        let list = catalogue.models.map { "'\($0.name)'" }.joined(separator: ", ")
        note(.unknownValue, "unknown value \(JSONReader.quoted(name)); known: \(list)")
        return nil
    }
}

extension JSONWriter {
    mutating func write(_ embeddings: Embeddings, of model: EmbeddingModel, encoding: EmbeddingRequest.Encoding) {
        object { json in
            json.member("object", "list")
            json.key("data")
            json.array { json in
                for index in 0..<embeddings.count {
                    json.object { json in
                        json.member("object", "embedding")
                        json.member("index", index)
                        json.key("embedding")
                        switch encoding {
                        case .float: json.array(embeddings[index])
                        case .base64: json.value(Base64.text(embeddings[index]))
                        }
                    }
                }
            }
            json.member("model", model.name)
            json.key("usage")
            json.object { json in
                json.member("prompt_tokens", embeddings.tokens)
                json.member("total_tokens", embeddings.tokens)
            }
        }
    }
}
