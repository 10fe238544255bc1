import Database
import Glibc
import JSON
import Logging
import Settings

/// Sends all logging to standard error, in the form and from the level that the settings say.
func bootstrapLogging(_ settings: Settings) {
    let level = Logger.Level(rawValue: settings.logLevel.rawValue)!
    let asJSON = settings.logJSONFormat
    LoggingSystem.bootstrap { label in
        var handler: any LogHandler = asJSON ? JSONLogHandler(label: label) : StreamLogHandler.standardError(label: label)
        handler.logLevel = level
        return handler
    }
}

/// One JSON object a line.
struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel = Logger.Level.info
    var metadata = Logger.Metadata()

    init(label: String) {
        self.label = label
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var json = JSONWriter()
        json.object { json in
            json.member("timestamp", Timestamp.now().description)
            json.member("level", event.level.rawValue)
            json.member("label", label)
            json.member("message", event.message.description)
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            for key in all.keys.sorted() {
                json.key(key)
                json.write(all[key]!)
            }
        }
        // One write, so that lines of several threads do not mix.
        let line = json.finish() + [UInt8(ascii: "\n")]
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

extension JSONWriter {
    /// Numbers and truth values as such, so that whoever collects the lines can compare them; all else as text.
    fileprivate mutating func write(_ value: Logger.MetadataValue) {
        switch value {
        case .stringConvertible(let number as Int): self.value(number)
        case .stringConvertible(let number as Double) where number.isFinite: self.value(number)
        case .stringConvertible(let flag as Bool): self.value(flag)
        case .string, .stringConvertible, .array, .dictionary: self.value(value.description)
        }
    }
}
