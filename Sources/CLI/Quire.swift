import Archives
import ArgumentParser
import Keys
import Settings
import Storage

/// The command line of Quire: what an operator does without the server.
@main
struct Quire: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quire",
        abstract: "Settings, nginx configuration, keys and stored data of a Quire server.",
        version: quireVersion,
        subcommands: [
            NginxCommand.self, ConfigCommand.self, KeysCommand.self, InspectCommand.self, VerifyCommand.self, RepairCommand.self,
            RestoreCommand.self,
        ])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let error as SettingsError {
            standardError.write("quire: \(error)\n")
            exit(withError: ExitCode(SettingsError.exitCode))
        } catch let error as ArchiveError {
            standardError.write("quire: \(error)\n")
            exit(withError: DataExit.dataRefused)
        } catch let error as StorageError {
            standardError.write("quire: \(error)\n")
            exit(withError: DataExit.code(of: error))
        } catch let error as KeysError {
            standardError.write("quire: \(oneLine("\(error)", limit: 400))\n")
            exit(withError: DataExit.code(of: error))
        } catch let error as NoDatabase {
            standardError.write("quire: \(error.path) holds no database\n")
            exit(withError: DataExit.noInput)
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
