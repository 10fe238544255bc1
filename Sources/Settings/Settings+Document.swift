extension Settings {
    /// docs/configuration.md: every setting as it is declared.
    package static func document() throws(SettingsError) -> String {
        // Any machine will do: what depends on it is `auto` here.
        let machine = Machine(userID: 1000, home: "/home/quire", cores: 1, memoryBytes: 1 << 30)
        let declarations = try explain(environment: [:], machine: machine)
        var sections: [SettingSection] = []
        for declaration in declarations where !sections.contains(declaration.section) { sections.append(declaration.section) }
        return introduction
            + sections.map { section in
                "\n## \(section.title)\n\n\(section.note)\n\n"
                    + "| name | default | accepted | |\n|---|---|---|---|\n"
                    + declarations.filter { $0.section == section }.map(row).joined()
            }.joined() + secrets
    }

    private static func row(_ setting: SettingDeclaration) -> String {
        let unit = setting.unit.map { " [\($0)]" } ?? ""
        return "| `\(setting.name)` | `\(setting.defaultText)` | \(cell(setting.accepted))\(cell(unit)) | \(cell(setting.summary)) |\n"
    }

    /// Text in a table: what would end the cell or begin markup is escaped.
    private static func cell(_ text: String) -> String {
        text.reduce(into: "") { cell, character in
            if ["|", "<", "*", "_"].contains(character) { cell.append("\\") }
            cell.append(character)
        }
    }

    private static let introduction = """
        # Settings

        <!-- Written by `quire config document`; changes made here are lost. -->

        A setting, but for the list `models`, is read from the environment, under its name in upper case, then from the file given with
        `--config` ([Config/quire.yaml](../Config/quire.yaml) has all of them), then it has its default. One that cannot be read, a name
        in the file that is none, and settings that contradict each other stop the start with one line and exit code 78;
        `quire config check` says so beforehand, `quire config show` prints what is in force and where it came from. `auto` is worked out
        from the machine.

        """

    private static let secrets = """

        ## Secrets

        Keys of embedding providers are read from the environment alone, by the responder, and are never shown: `COHERE_API_KEY`,
        `OPENAI_API_KEY`, and the variables that `api_key_env` names in an entry of `models`.

        """
}
