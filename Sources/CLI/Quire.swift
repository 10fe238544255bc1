import ArgumentParser
import Settings

/// The command line of Quire: what an operator does without the server.
@main
struct Quire: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quire",
        abstract: "Settings and nginx configuration of a Quire server.",
        version: quireVersion,
        subcommands: [NginxCommand.self, ConfigCommand.self])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let error as SettingsError {
            standardError.write("quire: \(error)\n")
            exit(withError: ExitCode(SettingsError.exitCode))
        } catch {
            exit(withError: error)
        }
    }
}

/// Where the settings come from besides the environment.
struct ConfigFileOption: ParsableArguments {
    @Option(name: .customLong("config"), help: "The YAML file with settings; the environment goes before it.")
    var path: String?
}
