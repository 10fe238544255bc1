import HTTP
import HTTPTypes
import Testing

struct RouterTests {
    private let router: Router<String> = {
        var router = Router<String>()
        router.add(.get, "/", "root")
        router.add(.get, "/v1/libraries", "list")
        router.add(.post, "/v1/libraries", "create")
        router.add(.get, "/v1/libraries/{id}", "get")
        router.add(.delete, "/v1/libraries/{id}", "delete")
        router.add(.post, "/v1/libraries/{id}/search", "search")
        router.add(.post, "/v1/libraries/{id}/documents/{document}", "two")
        return router
    }()

    private func handler(_ method: HTTPRequest.Method, _ path: String) -> String? {
        if case .found(let handler, _) = router.match(method, path: path) { handler } else { nil }
    }

    @Test("a request finds the handler of its method and path")
    func finds() {
        #expect(handler(.get, "/") == "root")
        #expect(handler(.get, "/v1/libraries") == "list")
        #expect(handler(.post, "/v1/libraries") == "create")
        #expect(handler(.delete, "/v1/libraries/42") == "delete")
        #expect(handler(.post, "/v1/libraries/42/search") == "search")
        #expect(router.routes.count == 7)
    }

    @Test("HEAD is answered by GET's handler")
    func head() {
        #expect(handler(.head, "/v1/libraries/42") == "get")
    }

    @Test("parameters arrive decoded and never span segments")
    func parameters() throws {
        guard case .found(_, let parameters) = router.match(.post, path: "/v1/libraries/a%2Fb/documents/%C3%A9") else {
            Issue.record("no match")
            return
        }
        #expect(parameters["id"] == "a/b")
        #expect(parameters["document"] == "é")
    }

    @Test(
        "a path that fits no pattern is not found",
        arguments: [
            "", "v1/libraries", "/v1", "/v1/libraries/", "//v1/libraries", "/v1/libraries//search", "/v1/libraries/%zz",
            "/v1/libraries/%ff", "/V1/libraries",
        ])
    func notFound(path: String) {
        guard case .notFound = router.match(.get, path: path) else {
            Issue.record("matched")
            return
        }
    }

    @Test("a wrong method learns the right ones, HEAD included where GET is")
    func methodNotAllowed() {
        guard case .methodNotAllowed(let allowed) = router.match(.put, path: "/v1/libraries/42") else {
            Issue.record("matched")
            return
        }
        #expect(allowed == [.get, .delete, .head])
        guard case .methodNotAllowed(let onlyPost) = router.match(.get, path: "/v1/libraries/42/search") else {
            Issue.record("matched")
            return
        }
        #expect(onlyPost == [.post])
    }

    @Test("a literal segment may be written with escapes and still is the same route")
    func escapedLiteral() {
        #expect(handler(.get, "/v1/%6cibraries") == "list")
    }
}
