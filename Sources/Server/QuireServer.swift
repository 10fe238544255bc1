import ArgumentParser
import Logging
import Settings

/// `quire-server`: the supervisor, and the responder that it runs.
@main
struct QuireServer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quire-server",
        abstract: "Holds the socket that nginx connects to and keeps a responder running behind it.",
        subcommands: [Supervise.self, Respond.self],
        defaultSubcommand: Supervise.self)
}

struct ServerOptions: ParsableArguments {
    @Option(name: .long, help: "The configuration file; the environment goes before it.")
    var config: String?

    /// Reads the settings; what is wrong with them ends the process with one line.
    func settings() -> Settings {
        do {
            return try Settings.load(file: config)
        } catch {
            ExitCode.configuration.exit("\(error)")
        }
    }
}

struct Supervise: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Make the socket, start the responder, start it again when it dies.")

    @OptionGroup var options: ServerOptions

    func run() {
        let settings = options.settings()
        if let problem = contradictionOfKeys(in: settings) { ExitCode.configuration.exit(problem) }
        bootstrapLogging(settings)
        supervise(settings, config: options.config)
    }
}

struct Respond: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer the requests that arrive on descriptor 0; started by the supervisor.", shouldDisplay: false)

    @OptionGroup var options: ServerOptions

    func run() {
        let settings = options.settings()
        bootstrapLogging(settings)
        Responder(settings: settings).run()
    }
}
