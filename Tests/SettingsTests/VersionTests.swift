import TestSupport
import Testing

@testable import Settings

@Suite("nginx, versions of the interface")
struct VersionTests {
    private static let old = APIVersion(number: 1, deprecated: CalendarDay("2027-01-31"), sunset: CalendarDay("2027-12-31"))

    @Test("passes on the versions of the list, and no other")
    func twoVersions() throws {
        let nginx = try RunningNginx { $0.apiVersions = [Self.old, APIVersion(number: 2)] }
        let responder = try StandInResponder(path: nginx.runDirectory.socketPath)

        for (target, version) in [("/v1/libraries", "v1"), ("/v2/libraries", "v2"), ("/v2", "v2"), ("/v2?x", "v2"), ("/v1/", "v1")] {
            let reply = nginx.exchangeInBackground("GET \(target) HTTP/1.1\r\nHost: quire\r\nConnection: close\r\n\r\n")
            let (parameters, _) = try responder.answer("Status: 200 OK\r\n\r\n{}")
            #expect(parameters["QUIRE_API_VERSION"] == version && parameters["REQUEST_URI"] == target)
            #expect(try reply.value().status == 200)
        }
        for target in ["/v3/libraries", "/v12/libraries", "/v0", "/v01/libraries", "/v", "/V2/libraries", "/v2x/libraries", "/libraries"] {
            let reply = try nginx.get(target)
            #expect(reply.asError == "404 NotFoundError", "\(target)")
            #expect(reply.json["supported_versions"] == ["v1", "v2"])
            #expect(reply.json["detail"] == "Unknown path; supported API versions: v1, v2")
        }
        #expect(!responder.wasCalled)
    }

    @Test("streams and administration are of every version")
    func routesOfVersions() throws {
        let nginx = try RunningNginx(["MAX_BODY_BYTES": "1024"]) { $0.apiVersions = [APIVersion(number: 2)] }
        let responder = try AnsweringResponder(path: nginx.runDirectory.socketPath)
        let body = "Content-Length: 2000\r\nConnection: close\r\n\r\n" + String(repeating: "x", count: 2000)

        let stream = try nginx.exchange("POST /v2/libraries/1/documents/stream HTTP/1.1\r\nHost: quire\r\n" + body)
        #expect(stream.status == 200)
        #expect(try nginx.get("/v2/admin/snapshots").status == 200)
        #expect(try nginx.get("/v1/admin/snapshots").asError == "404 NotFoundError")
        #expect(try nginx.send("POST", "/v1/libraries/1/documents/stream").asError == "404 NotFoundError")
        withExtendedLifetime(responder) {}
    }

    @Test("tells clients of a version that it ends, also with errors, and nobody else")
    func deprecation() throws {
        let nginx = try RunningNginx { $0.apiVersions = [Self.old, APIVersion(number: 2)] }

        for target in ["/v1/libraries", "/v1"] {
            let reply = try nginx.get(target)
            #expect(reply.status == 503)
            #expect(reply.headers("deprecation") == ["@1801353600"])
            #expect(reply.headers("sunset") == ["Fri, 31 Dec 2027 00:00:00 GMT"])
        }
        for target in ["/v2/libraries", "/health", "/v3"] {
            let reply = try nginx.get(target)
            #expect(reply.headers("deprecation").isEmpty && reply.headers("sunset").isEmpty, "\(target)")
        }
    }

    @Test("are read with their dates")
    func settingsOfVersions() throws {
        #expect(try settings().apiVersions == [APIVersion(number: 1)])
        #expect(try settings(["API_VERSIONS": "v1 deprecated 2027-01-31 sunset 2027-12-31"]).apiVersions == [Self.old])
        #expect(
            try settings(["API_VERSIONS": "v1 sunset 2027-12-31"]).apiVersions
                == [APIVersion(number: 1, sunset: CalendarDay("2027-12-31"))])
        let declared = try Settings.explain(environment: ["API_VERSIONS": "v1 deprecated 2027-01-31"], machine: ordinaryUser)
        #expect(declared.first { $0.name == "api_versions" }?.value == "v1 deprecated 2027-01-31")
    }

    @Test(
        "are refused when this server has not got them, or their dates contradict each other",
        arguments: [
            "", "none", "v2", "v1, v2", "v1, v1", "v1, v1 deprecated 2027-01-31", "1", "V1", "v01", "v1 ", " v1", "v1,", "v1 deprecated",
            "v1 deprecated 2027-02-29", "v1 deprecated 2027-1-1", "v1 deprecated soon", "v1 sunset 2027-01-01 deprecated 2026-01-01",
            "v1 deprecated 2027-12-31 sunset 2027-12-30", "v1 deprecated 2027-01-31  sunset 2027-12-31", "v1 retired 2027-01-01",
        ])
    func refused(text: String) {
        #expect(refusal(["API_VERSIONS": text])?.description.contains("versions that this server has (v1)") == true)
    }

    @Test(
        "days are those of the calendar",
        arguments: [
            ("1970-01-01", 0, "Thu, 01 Jan 1970 00:00:00 GMT"), ("2000-02-29", 951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            ("2026-11-27", 1_795_737_600, "Fri, 27 Nov 2026 00:00:00 GMT"), ("2100-03-01", 4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ])
    func days(text: String, seconds: Int, httpDate: String) throws {
        let day = try #require(CalendarDay(text))
        #expect(day.unixSeconds == seconds && day.httpDate == httpDate && day.description == text)
    }

    @Test(
        "no other text is a day", arguments: ["1969-12-31", "2100-02-29", "2027-00-01", "2027-13-01", "2027-04-31", "2027-01-00", "27-1-1"])
    func noDays(text: String) {
        #expect(CalendarDay(text) == nil)
    }
}
