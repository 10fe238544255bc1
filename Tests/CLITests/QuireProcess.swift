import TestSupport

/// What one run of a program left behind.
struct ProcessResult {
    let status: Int32
    let output: String
    let errorOutput: String
}

extension TemporaryDirectory {
    /// Runs a program with exactly this environment to its end.
    func run(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws -> ProcessResult {
        let process = try ChildProcess(program, arguments, environment: environment, in: self)
        return ProcessResult(status: process.wait(), output: process.output, errorOutput: process.errors)
    }

    func quire(_ arguments: String..., environment: [String: String] = [:]) throws -> ProcessResult {
        try run(quirePath, arguments, environment: environment)
    }
}

let quirePath = builtProducts + "/quire"
