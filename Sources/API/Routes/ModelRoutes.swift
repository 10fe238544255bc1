import Embedding
import HTTP
import HTTPTypes
import JSON
import Settings

struct ModelRoutes {
    let service: Service

    func add(to router: inout Router<Handler>) {
        router.add(.get, "/v1/models", list)
    }

    @Sendable private func list(_ request: Request, _: PathParameters) throws -> Response {
        let catalogue = try service.catalogue
        try request.readQuery { _ in }
        return Response(json: .ok) { json in
            json.object { json in
                json.member("default", service.settings.embeddingModel)
                json.key("models")
                json.array { json in
                    for model in catalogue.models { json.write(model, catalogue.availability(of: model)) }
                }
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func write(_ model: EmbeddingModel, _ availability: ModelCatalogue.Availability) {
        object { json in
            json.member("name", model.name)
            json.member("dimension", model.dimension)
            json.member("max_tokens", model.maxTokens)
            json.member("provider", model.provider)
            json.member("description", model.summary)
            switch availability {
            case .available:
                json.member("available", true)
            case .unavailable(let reason):
                json.member("available", false)
                json.member("unavailable_because", reason)
            }
        }
    }
}
