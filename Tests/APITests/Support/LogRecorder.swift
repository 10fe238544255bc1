import Logging
import TestSupport

/// Keeps what is logged.
final class LogRecorder: Sendable {
    struct Line {
        let level: Logger.Level
        let message: String
        let metadata: Logger.Metadata

        subscript(_ key: String) -> String? { metadata[key].map { "\($0)" } }
    }

    private let recorded = Shared<[Line]>([])

    var lines: [Line] { recorded.current }

    /// The lines with this message.
    func lines(_ message: String) -> [Line] { lines.filter { $0.message == message } }

    var logger: Logger {
        Logger(label: "test") { [recorded] _ in Handler(recorded: recorded) }
    }

    private struct Handler: LogHandler {
        let recorded: Shared<[Line]>
        var logLevel = Logger.Level.trace
        var metadata = Logger.Metadata()

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = Line(
                level: event.level, message: event.message.description, metadata: metadata.merging(event.metadata ?? [:]) { $1 })
            recorded.update { $0.append(line) }
        }
    }
}
