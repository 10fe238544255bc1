import ArgumentParser
import FoundationEssentials
import Glibc
import Settings

/// `quire nginx`: nginx's configuration from the settings.
struct NginxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nginx", abstract: "Write nginx's configuration, and have nginx take it up.", subcommands: [Render.self, Reload.self])

    struct Render: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write nginx's configuration from the settings, let nginx check it, and put it in place.",
            discussion: """
                Makes the run directory and, in it, nginx's prefix; prints the prefix. Start nginx with
                nginx -p PREFIX -c nginx.conf -e stderr -g 'daemon off;'. Where nginx refuses the new configuration, the one before it
                stays in place.
                """)

        @OptionGroup var options: PrefixOptions

        func run() throws {
            standardOutput.write(try options.install().output + "\n")
        }
    }

    struct Reload: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The same, and have the nginx that runs there take it up without refusing anybody.")

        @OptionGroup var options: PrefixOptions

        func run() throws {
            try options.install().reload()
        }
    }
}

struct PrefixOptions: ParsableArguments {
    @OptionGroup var config: ConfigFileOption

    @Option(help: "nginx's prefix; its parent takes the pid, logs and temporary files. Default: nginx in the run directory.")
    var output: String?

    @Option(help: "The directory with nginx.conf, conf.d and snippets. Default: the one of the installation this command is in.")
    var source: String?

    /// Puts the configuration of the settings in place.
    func install() throws -> NginxPrefix {
        let settings = try Settings.load(file: config.path)
        let runDirectory = RunDirectory(settings)
        try runDirectory.prepare()
        let prefix = NginxPrefix(
            source: try source ?? installedSource(), output: output ?? runDirectory.nginxPrefix,
            executable: try findNginx(searchPath: ProcessInfo.processInfo.environment["PATH"] ?? ""))
        try prefix.install(NginxConfiguration(settings, asRoot: geteuid() == 0))
        return prefix
    }
}

/// The `nginx` directory that belongs to this executable: beside it in an installation, above it in a checkout.
///
/// Never one of the working directory: as root, that would be configuration from wherever the operator happens to stand.
func installedSource(executable: String = executablePath()) throws -> String {
    var directory = executable[...]
    while let slash = directory.lastIndex(of: "/") {
        directory = directory[..<slash]
        for candidate in ["\(directory)/nginx", "\(directory)/share/quire/nginx"] where access("\(candidate)/nginx.conf", R_OK) == 0 {
            return candidate
        }
    }
    throw SettingsError.nginx(reason: "no nginx/nginx.conf beside or above \(executable); name it with --source")
}
