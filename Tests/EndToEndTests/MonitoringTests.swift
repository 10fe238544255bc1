import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("Figures and logs, through nginx")
struct MonitoringTests {
    @Test("Prometheus on this machine reads them; another machine is answered with 403")
    func metrics() throws {
        let quire = try QuireInstance(noModel)
        let library = try quire.createLibrary()
        _ = try quire.get("/v1/libraries/\(library)")

        let reply = try quire.get("/metrics")
        let text = try PrometheusText(reply.body)

        #expect(reply.status == 200 && reply["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(text.value("quire_http_requests_total", ["route": "/v1/libraries/{id}", "status": "200"]) == 1)
        #expect(text.value("quire_worker_threads_busy") == 0 && text.value("quire_requests_waiting", ["class": "read"]) == 0)
        #expect(try #require(text.value("quire_connections_accepted_total")) >= 3)
        #expect(text.value("quire_library_chunks", ["library": library]) == 0)
        #expect(try quire.send("POST", "/metrics").status == 405)
    }

    @Test(
        "another machine is answered with 403, in the shape of every error",
        .enabled(if: ownAddress != nil, "this machine has no address but those of the loopback interface"))
    func foreign() throws {
        let quire = try QuireInstance(noModel)

        // From another address of this machine, which to nginx is no different from one of another.
        let curl = try ChildProcess(
            "/usr/bin/env",
            ["curl", "-s", "-w", " %{http_code}", "--interface", try #require(ownAddress), "http://127.0.0.1:\(quire.port)/metrics"],
            environment: ["PATH": "/usr/bin:/bin"], in: quire.directory)

        #expect(curl.wait() == 0)
        #expect(curl.output.hasSuffix(" 403"))
        let error = try JSON(parsing: Array(curl.output.dropLast(4).utf8))
        #expect(error["error_type"] == "PermissionError" && error["request_id"]?.string?.isEmpty == false)
        #expect(error.object?.keys.sorted() == ["detail", "error", "error_type", "request_id"])
    }

    @Test("every request is one line of JSON with numbers as numbers, and nothing of what was sent", arguments: ["all", "errors", "off"])
    func logs(choice: String) throws {
        let quire = try QuireInstance(noModel.merging(["LOG_JSON_FORMAT": "true", "REQUEST_LOG": choice]) { $1 })
        let library = try quire.createLibrary()
        let marker = "s3cr3t"

        let found = try quire.send(
            "GET", "/v1/libraries/\(library)", headers: ["X-Request-Id": "asked-1", "Authorization": "Bearer \(marker)"])
        let missing = try quire.send("POST", "/v1/\(marker)?\(marker)=1", headers: ["X-Request-Id": "asked-2"], body: Array(marker.utf8))

        #expect(found.status == 200 && missing.status == 404)
        #expect(quire.stopServer() == 0)
        let lines = quire.lastLog.split(separator: "\n").compactMap { try? JSON(parsing: Array($0.utf8)) }
        let requests = lines.filter { $0["message"] == "request" }
        let all = requests.first { $0["request_id"] == "asked-1" }
        let error = requests.first { $0["request_id"] == "asked-2" }
        #expect((all != nil) == (choice == "all") && (error != nil) == (choice != "off"))
        if let all {
            #expect(all["route"] == "/v1/libraries/{id}" && all["method"] == "GET" && all["status"] == 200 && all["level"] == "info")
            #expect(all["library_id"] == .string(library) && all["bytes"]?.integer == found.body.count)
            #expect(all["milliseconds"]?.number ?? -1 >= 0)
        }
        if let error { #expect(error["route"] == "none" && error["status"] == 404 && error["level"] == "notice") }
        #expect(!quire.lastLog.contains(marker))
    }

    @Test("what a server has against itself is a sentence with something to do")
    func issues() throws {
        let quire = try QuireInstance(noModel)

        let issues = try quire.get("/v1/admin/issues").json

        #expect(issues["total"] == 1)
        #expect(issues["issues"]?[0]?["code"] == "model_unavailable")
        #expect(issues["issues"]?[0]?["action"]?.string?.isEmpty == false)
    }
}

/// An address of this machine that another one could have.
private let ownAddress: String? = {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&first) == 0 else { return nil }
    defer { freeifaddrs(first) }
    var next = first
    while let interface = next?.pointee {
        next = interface.ifa_next
        guard let address = interface.ifa_addr, Int32(address.pointee.sa_family) == AF_INET else { continue }
        var text = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
        address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
            _ = inet_ntop(AF_INET, &address.pointee.sin_addr, &text, socklen_t(text.count))
        }
        let found = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if !found.hasPrefix("127.") { return found }
    }
    return nil
}()
