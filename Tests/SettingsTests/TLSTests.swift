import Glibc
import TestSupport
import Testing

@testable import Settings

@Suite("nginx, TLS")
struct TLSTests {
    private let files = TemporaryDirectory()

    private func secure() throws -> RunningNginx { try RunningNginx(files.makeCertificate()) }

    /// Asks with curl, which does not ask who has signed the certificate. The output begins with the head.
    private func curl(_ nginx: RunningNginx, _ options: String...) throws -> (status: Int32, output: String) {
        let url = "https://127.0.0.1:\(nginx.settings.port)/x"
        let process = try ChildProcess("/usr/bin/curl", ["-ksi", "--max-time", "120"] + options + [url], in: nginx.directory)
        return (process.wait(), process.output)
    }

    @Test("speaks HTTP/2 and HTTP/1.1, and has browsers stay with it")
    func versionsOfHTTP() throws {
        let nginx = try secure()

        for (option, version) in [("--http2", "HTTP/2 404"), ("--http1.1", "HTTP/1.1 404")] {
            let (status, output) = try curl(nginx, option)
            #expect(status == 0)
            #expect(output.hasPrefix(version), "\(output)")
            #expect(output.lowercased().contains("strict-transport-security: max-age=31536000\r\n"))
            #expect(output.contains("\"error_type\":\"NotFoundError\""))
        }
    }

    @Test("speaks TLS 1.2 and 1.3, and nothing older to a client that would (G9)")
    func versionsOfTLS() throws {
        let nginx = try secure()
        func connects(_ version: String) throws -> (Bool, String) {
            let client = try ChildProcess(
                "/usr/bin/openssl",
                ["s_client", "-connect", "127.0.0.1:\(nginx.settings.port)", version, "-cipher", "ALL:@SECLEVEL=0"], in: nginx.directory)
            return (client.wait() == 0, client.output + client.errors)
        }

        for version in ["-tls1_2", "-tls1_3"] { #expect(try connects(version).0, "\(version)") }
        for version in ["-tls1", "-tls1_1"] {
            let (hasConnected, output) = try connects(version)
            #expect(!hasConnected)
            // It is the server that refuses, not the client.
            #expect(output.contains("alert protocol version"), "\(version): \(output)")
        }
    }

    @Test("answers one that speaks plain HTTP to it with 400")
    func plainHTTP() throws {
        let nginx = try secure()
        let reply = try nginx.get("/health")
        #expect(reply.asError == "400 InvalidRequestError")
    }

    @Test("passes requests on as ever")
    func passesOn() throws {
        let nginx = try secure()
        let responder = try AnsweringResponder(path: nginx.runDirectory.socketPath)
        let process = try ChildProcess(
            "/usr/bin/curl", ["-ksi", "--http2", "--data", "{}", "https://127.0.0.1:\(nginx.settings.port)/v1/libraries"],
            in: nginx.directory)
        #expect(process.wait() == 0)
        #expect(process.output.hasPrefix("HTTP/2 200") && process.output.hasSuffix("{}"))
        withExtendedLifetime(responder) {}
    }

    @Test("is not promised without TLS")
    func noTLS() throws {
        #expect(try RunningNginx().get("/x").headers("strict-transport-security").isEmpty)
    }

    @Test("needs both files, by plain paths")
    func paths() throws {
        #expect(try settings().tls == nil)
        let both = ["TLS_CERTIFICATE": "/etc/quire/a.pem", "TLS_CERTIFICATE_KEY": "/etc/quire/a.key"]
        #expect(try settings(both).tls == TLSFiles(certificate: "/etc/quire/a.pem", key: "/etc/quire/a.key"))
        for name in both.keys {
            let alone = refusal([name: "/etc/quire/x"])?.description
            #expect(alone?.hasPrefix("TLS_CERTIFICATE_KEY: ") == true, "\(alone ?? "")")
            for path in ["", "x.pem", "~/x.pem", "/a/../b", "/a b", "/a;b", "/a\nb", "/$a", "/", "/" + String(repeating: "p", count: 1024)]
            {
                #expect(refusal(both.merging([name: path]) { $1 })?.description.hasPrefix(name + ":") == true, "\(path)")
            }
        }
    }

    @Test("files that are not there leave the configuration as it was, with nginx's reason")
    func missingFiles() throws {
        let nginx = try RunningNginx()
        var settings = nginx.settings
        settings.tls = TLSFiles(certificate: "/nonexistent/a.pem", key: "/nonexistent/a.key")

        let error = #expect(throws: SettingsError.self) { try nginx.reload(settings) }

        #expect(error?.description.contains("cannot load certificate \"/nonexistent/a.pem\"") == true)
        #expect(try nginx.get("/x").status == 404)
    }

    @Test("every reply says how browsers are to treat it (G8)")
    func securityHeaders() throws {
        let nginx = try RunningNginx()

        for target in ["/x", "/health", "/v1/libraries", "/docs", "/v1/a//b"] {
            let reply = try nginx.get(target)
            #expect(reply.headers("x-content-type-options") == ["nosniff"])
            #expect(reply.headers("referrer-policy") == ["no-referrer"])
            #expect(reply.headers("content-security-policy") == ["default-src 'none'; frame-ancestors 'none'"], "\(target)")
            #expect(reply.headers("server") == ["nginx"])
        }
        let responder = try AnsweringResponder(path: nginx.runDirectory.socketPath)
        let page = try #require(try nginx.get("/docs")["content-security-policy"])
        #expect(page.hasPrefix("default-src 'none'; ") && page.contains("script-src 'unsafe-inline'"))
        withExtendedLifetime(responder) {}
    }
}
