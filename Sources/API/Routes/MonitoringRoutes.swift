import HTTP
import HTTPTypes
import JSON
import Prometheus

/// What an operator and his machines look at.
struct MonitoringRoutes {
    let service: Service

    /// More are only counted.
    private static let issueLimit = 100

    func add(to router: inout Router<Handler>) {
        router.add(.get, "/metrics", metrics)
        router.add(.get, "/v1/admin/issues", issues)
    }

    /// Answered while the server starts and after its storage failed, too, with what there is then. nginx asks who wants to know.
    @Sendable private func metrics(_ request: Request, _: PathParameters) throws -> Response {
        try request.readQuery { _ in }
        var exposition = Exposition()
        exposition.write(service)
        return Response(status: .ok, headers: [.contentType: Exposition.contentType], body: exposition.bytes)
    }

    /// Answered in every state: that the server starts is an issue.
    @Sendable private func issues(_ request: Request, _: PathParameters) throws -> Response {
        try request.readQuery { _ in }
        var finder = IssueFinder(service)
        finder.find()
        let issues = finder.issues
        return Response(json: .ok) { json in
            json.object { json in
                json.key("issues")
                json.array { json in
                    for issue in issues.prefix(Self.issueLimit) { json.write(issue) }
                }
                json.member("total", issues.count)
            }
        }
    }
}
