import Settings
import TestSupport

let shippedFile = checkout + "/Config/quire.yaml"
let nginxSource = checkout + "/nginx"

let ordinaryUser = Machine(userID: 1000, home: "/home/ada", cores: 6, memoryBytes: 8 << 30)
let rootUser = Machine(userID: 0, home: "/superuser", cores: 6, memoryBytes: 8 << 30)

/// Settings of an ordinary user with nothing else in the environment.
func settings(_ environment: [String: String] = [:], file: String? = nil, machine: Machine = ordinaryUser) throws(SettingsError) -> Settings
{
    try Settings.load(file: file, environment: environment, machine: machine)
}

/// The error of settings that must not be accepted; nil when they are.
func refusal(_ environment: [String: String] = [:], file: String? = nil, machine: Machine = ordinaryUser) -> SettingsError? {
    do throws(SettingsError) {
        _ = try settings(environment, file: file, machine: machine)
        return nil
    } catch {
        return error
    }
}
