import Database
import HTTP
import HTTPTypes
import JSON
import Settings
import Storage

struct ServiceRoutes {
    let service: Service
    /// Of version 1, for the overview.
    let routes: [String]

    func add(to router: inout Router<Handler>) {
        router.add(.get, "/", root)
        router.add(.get, "/health", health)
        router.add(.get, "/ready", ready)
        router.add(.get, "/openapi.json", openAPI)
        router.add(.get, "/docs", documentation)
    }

    @Sendable private func root(_ request: Request, _: PathParameters) throws -> Response {
        try request.readQuery { _ in }
        return Response(json: .ok) { json in
            json.object { json in
                json.member("name", "Quire")
                json.member("version", quireVersion)
                json.member("description", "A vector database with a REST API")
                json.member("documentation", "/docs")
                json.member("health_check", "/health")
                json.key("api_versions")
                json.object { json in
                    json.key("v1")
                    json.object { json in
                        json.member("prefix", "/v1")
                        let isDeprecated = service.settings.apiVersions.contains { $0.name == "v1" && $0.deprecated != nil }
                        json.member("status", isDeprecated ? "deprecated" : "stable")
                        json.key("endpoints")
                        json.array(routes)
                    }
                }
            }
        }
    }

    /// Whether the process is alive; whether it can work is what `/ready` says.
    @Sendable private func health(_: Request, _: PathParameters) -> Response {
        Response(json: .ok, capacity: 128) { json in
            json.object { json in
                json.member("status", "healthy")
                json.member("version", quireVersion)
                json.member("timestamp", Timestamp.now().description)
            }
        }
    }

    @Sendable private func ready(_: Request, _: PathParameters) throws -> Response {
        let components = service.components
        let database: Database
        do {
            database = try service.database
            // Without keys there is nobody to serve.
            if let unusable = service.keyComponent, !unusable.isReady { throw APIError(.unavailable, unusable.detail) }
        } catch {
            var error = APIError(error)
            error.components = components
            throw error
        }
        return Response(json: .ok) { json in
            json.object { json in
                json.member("status", "ready")
                json.write(components)
                json.member("durable_sequence", Int(database.durableSequence.rawValue))
                json.member("last_sequence", Int(database.lastSequence.rawValue))
            }
        }
    }

    @Sendable private func openAPI(_: Request, _: PathParameters) -> Response {
        Response(status: .ok, headers: [.contentType: "application/json"], body: PackageResources.openapi_json)
    }

    /// One page that renders the OpenAPI document; it loads nothing from elsewhere.
    @Sendable private func documentation(_: Request, _: PathParameters) -> Response {
        Response(status: .ok, headers: [.contentType: "text/html; charset=utf-8"], body: PackageResources.docs_html)
    }
}
