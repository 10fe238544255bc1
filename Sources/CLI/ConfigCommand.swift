import ArgumentParser
import FoundationEssentials
import Settings

/// `quire config`: what the settings are, and whether they are right.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Show or check the settings.", subcommands: [Show.self, Check.self, Document.self])

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the settings in force.",
            discussion: "Without names: every setting in the form of the file, with its source. With names: only their values, one a line.")

        @OptionGroup var config: ConfigFileOption

        @Argument(help: "Names of settings, such as port or run_directory.")
        var names: [String] = []

        func run() throws {
            let settings = try Settings.explain(file: config.path)
            guard names.isEmpty else { return standardOutput.write(try Self.values(names, of: settings)) }
            let secrets = try Settings.load(file: config.path).keyVariables
            standardOutput.write(Self.listing(settings) + Self.listing(secrets: secrets, ProcessInfo.processInfo.environment))
        }

        static func listing(_ settings: [SettingDeclaration]) -> String {
            settings.map { setting in
                let unit = setting.unit.map { " [\($0)]" } ?? ""
                return
                    "# \(setting.summary)\(unit); accepted: \(setting.accepted)\n\(setting.name): \(setting.value)  # \(setting.origin)\n"
            }.joined(separator: "\n")
        }

        /// The secrets that are set, without their values.
        static func listing(secrets: Set<String>, _ environment: [String: String]) -> String {
            secrets.sorted().filter { environment[$0]?.isEmpty == false }.map { "\n# \($0): ******** # from the environment\n" }.joined()
        }

        static func values(_ names: [String], of settings: [SettingDeclaration]) throws -> String {
            try names.map { name in
                guard let setting = settings.first(where: { $0.name == name }) else {
                    throw ValidationError("\(name) is not a setting; `quire config show` lists them")
                }
                return setting.value + "\n"
            }.joined()
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Exit 0 when the settings are right, else 78 with one line that says why.")

        @OptionGroup var config: ConfigFileOption

        func run() throws {
            _ = try Settings.load(file: config.path)
        }
    }
    struct Document: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print docs/configuration.md: every setting there is.")

        func run() throws {
            standardOutput.write(try Settings.document())
        }
    }
}
