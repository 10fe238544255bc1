import HTTPTypes
import TestSupport
import Testing

struct PagingTests {
    /// Follows `Link` to the end.
    private func pages(_ server: TestServer, from path: String) throws -> [[String]] {
        var pages: [[String]] = []
        var next: String? = path
        while let path = next, pages.count < 20 {
            let reply = server.get(path)
            try #require(reply.status == 200)
            pages.append(reply.json.array?.compactMap { ($0["name"] ?? $0["metadata"]?["title"])?.string } ?? [])
            next = reply.next
        }
        return pages
    }

    @Test("pages of libraries follow one another in order of creation", arguments: [(1, 5), (2, 3), (4, 2), (5, 1), (1000, 1)])
    func libraries(limit: Int, count: Int) throws {
        let server = try TestServer()
        for name in "abcde" { _ = server.post("/v1/libraries", ["name": .string("\(name)")]) }

        let pages = try pages(server, from: "/v1/libraries?limit=\(limit)")

        #expect(pages.count == count)
        #expect(pages.flatMap(\.self) == ["a", "b", "c", "d", "e"])
        #expect(pages.allSatisfy { $0.count <= limit })
    }

    @Test("pages of documents follow one another in order of creation", arguments: [(1, 5), (2, 3), (5, 1)])
    func documents(limit: Int, count: Int) throws {
        let server = try TestServer()
        let library = server.vectors()
        for title in "abcde" { server.add([[1, 0, 0]], to: library, title: "\(title)") }

        let pages = try pages(server, from: "\(library)/documents?limit=\(limit)")

        #expect(pages.count == count)
        #expect(pages.flatMap(\.self) == ["a", "b", "c", "d", "e"])
    }

    @Test("a list has a page without being asked")
    func defaults() throws {
        let server = try TestServer()
        let library = server.vectors()
        for number in 0...100 { server.add([[1, 0, 0]], to: library, title: "\(number)") }

        let first = server.get("\(library)/documents")

        #expect(first.json.array?.count == 100)
        #expect(server.get(try #require(first.next)).json.array?.count == 1)
        #expect(server.get("/v1/libraries").json.array?.count == 1)
    }

    @Test("a page goes on where it stopped though the list changed")
    func stable() throws {
        let server = try TestServer()
        let library = server.vectors()
        var paths: [String] = []
        for title in "abcd" { paths.append(server.add([[1, 0, 0]], to: library, title: "\(title)").headers[.location]!) }
        let next = try #require(server.get("\(library)/documents?limit=2").next)

        _ = server.delete(paths[1])
        _ = server.delete(paths[2])

        #expect(try pages(server, from: next) == [["d"]])
    }

    @Test("a cursor beyond the end gives an empty page")
    func beyond() throws {
        let server = try TestServer()
        let library = server.vectors()
        for path in ["/v1/libraries", "\(library)/documents"] {
            let reply = server.get("\(path)?cursor=18446744073709551615")
            #expect(reply.json == [] && reply.next == nil)
        }
    }

    @Test("a page that cannot be is refused", arguments: Pages.impossible)
    func refused(query: String, location: String) throws {
        let server = try TestServer()
        let library = server.vectors()
        for path in ["/v1/libraries", "\(library)/documents"] {
            let reply = server.get("\(path)?\(query)")
            #expect(reply.status == 422 && reply.errorType == "ValidationError")
            #expect(reply.locations == [location])
        }
    }
}
