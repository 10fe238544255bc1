/// A record as the log gives it back. The log knows its frame; what the payload means is its writer's business.
package struct LogRecord: Sendable, Equatable {
    /// What kind of record; 0 is the log's own and never seen outside.
    package let type: UInt8
    /// The version of the payload's layout, per type.
    package let version: UInt8
    package let flags: RecordFlags
    package let sequence: SequenceNumber
    package let payload: [UInt8]

    /// The largest payload: 64 MiB. A length beyond it is damage, and is never read or allocated.
    package static let maximumPayloadLength = 64 << 20
}

package struct RecordFlags: OptionSet, Sendable, Hashable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// A reader that does not know the record's type, or its version, may leave it out; without this flag it has to refuse.
    package static let skippable = RecordFlags(rawValue: 1)
}
