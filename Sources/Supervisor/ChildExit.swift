import CPlatform

/// How a responder ended.
enum ChildExit: Equatable {
    case code(Int32)
    case signal(Int32)

    /// Codes that starting it again would only bring back: the supervisor ends with them.
    var isFinal: Bool {
        switch self {
        case .code(65), .code(75), .code(78): true
        case .code, .signal: false
        }
    }
}

extension ChildExit: CustomStringConvertible {
    var description: String {
        switch self {
        case .code(65): "exit code 65: it refuses its data"
        case .code(70): "exit code 70: its storage failed"
        case .code(75): "exit code 75: its data is locked by another process"
        case .code(78): "exit code 78: its configuration is wrong"
        case .code(let code): "exit code \(code)"
        case .signal(let signal): "signal \(signal) (\(quire_signal_name(signal).map { "SIG" + String(cString: $0) } ?? "unknown"))"
        }
    }
}
