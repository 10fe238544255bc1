import Embedding
import HTTP
import HTTPTypes
import JSON
import Settings

/// Vectors without a library, in the wire format of OpenAI: clients written for it need another base URL and nothing else.
struct EmbeddingRoutes {
    let service: Service

    func add(to router: inout Router<Handler>) {
        router.add(.post, "/v1/embeddings", embed)
    }

    @Sendable private func embed(_ request: Request, _: PathParameters) throws -> Response {
        let catalogue = try service.catalogue
        try request.readQuery { _ in }
        let wanted = try EmbeddingRequest(request.jsonReader(), service.settings, catalogue)
        let embeddings = try service.embed(wanted.texts, as: wanted.inputType, with: wanted.model)
        return Response(json: .ok, capacity: 1024 + 16 * embeddings.values.count) { json in
            json.write(embeddings, of: wanted.model, encoding: wanted.encoding)
        }
    }
}
