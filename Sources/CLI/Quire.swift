import Archives
import ArgumentParser
import Settings
import Storage

/// The command line of Quire: what an operator does without the server.
@main
struct Quire: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quire",
        abstract: "Settings and nginx configuration of a Quire server.",
        version: quireVersion,
        subcommands: [NginxCommand.self, ConfigCommand.self, RestoreCommand.self])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let error as SettingsError {
            standardError.write("quire: \(error)\n")
            exit(withError: ExitCode(SettingsError.exitCode))
        } catch let error as ArchiveError {
            fail("\(error)", with: 65)
        } catch let error as StorageError {
            fail("\(error)", with: error.exitCode)
        } catch {
            exit(withError: error)
        }
    }
}

private func fail(_ reason: String, with code: Int32) -> Never {
    standardError.write("quire: \(reason)\n")
    Quire.exit(withError: ExitCode(code))
}

extension StorageError {
    /// As the server ends (sysexits.h).
    fileprivate var exitCode: Int32 {
        switch category {
        case .dataRefused: 65
        case .inUse: 75
        case .storageFailed, .requestRefused: 70
        }
    }
}

/// Where the settings come from besides the environment.
struct ConfigFileOption: ParsableArguments {
    @Option(name: .customLong("config"), help: "The YAML file with settings; the environment goes before it.")
    var path: String?
}
