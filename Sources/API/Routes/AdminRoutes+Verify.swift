import Database
import HTTP
import HTTPTypes
import JSON
import Storage

extension AdminRoutes {
    /// Damage is an answer, not an error: the status is 200 either way.
    @Sendable func verify(_ request: Request, _: PathParameters) throws -> Response {
        let database = try service.database
        try request.readQuery { _ in }
        let verification = try database.verify()
        return Response(json: .ok) { json in
            json.object { json in
                json.member("status", verification.isIntact ? "intact" : "damaged")
                json.key("components")
                json.array { json in
                    for component in verification.components { json.write(component) }
                }
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func write(_ component: CheckedComponent) {
        object { json in
            json.member("kind", component.kind.rawValue)
            json.member(component.kind.isOfLibrary ? "library_id" : "name", component.name)
            json.member("status", component.damaged == 0 ? "intact" : "damaged")
            json.member("damaged", component.damaged)
            json.member("bytes", Int(component.bytes))
            json.key("checked")
            json.object { json in
                for (figure, count) in component.figures {
                    json.key(figure.rawValue)
                    json.value(count)
                }
            }
            json.key("problems")
            json.array(component.problems)
        }
    }
}

extension CheckedComponent.Kind {
    fileprivate var isOfLibrary: Bool { self == .library || self == .index }
}
