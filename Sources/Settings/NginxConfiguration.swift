/// The part of nginx's configuration that depends on settings: one small file for each place where `nginx.conf` includes one.
///
/// What is written here is integers, names of enumerations, a loopback address as inet_ntop prints it and the path of the socket,
/// whose characters `Settings` has limited to letters, digits and `. _ - /`. Nothing is substituted into the files people edit.
package struct NginxConfiguration: Sendable, Equatable {
    /// Included at the top level.
    package let main: String
    /// Included in `http`.
    package let http: String
    /// Included in `server`.
    package let server: String

    package static let directory = "generated"

    package init(_ settings: Settings, asRoot: Bool) {
        // Started by another user, nginx's workers are that user, and the directive would only draw a warning.
        let user = asRoot ? "user \(RunDirectory.workerAccount) \(RunDirectory.workerAccount);\n" : ""
        main = Self.header + user + "worker_processes \(settings.nginxWorkerProcesses);\n"
        http =
            Self.header + """
                upstream responder {
                    server unix:\(RunDirectory(settings).socketPath);
                }

                client_max_body_size \(settings.maxBodyBytes);
                \(Self.directive(settings.accessLog))

                """
        server = Self.header + "listen \(settings.host.inURL):\(settings.port) default_server backlog=1024;\n"
    }

    /// File names below the prefix with their contents.
    package var files: [(name: String, contents: String)] {
        [("\(Self.directory)/main.conf", main), ("\(Self.directory)/http.conf", http), ("\(Self.directory)/server.conf", server)]
    }

    private static let header = "# Written by `quire nginx render` from the settings; changes made here are lost.\n"

    private static func directive(_ choice: AccessLog) -> String {
        switch choice {
        case .off: "access_log off;"
        case .errors: "access_log ../access.log quire buffer=64k flush=1s if=$is_error;"
        case .all: "access_log ../access.log quire buffer=64k flush=1s;"
        }
    }
}
