/// What opening a log found and did.
package struct RecoveryReport: Sendable, Equatable {
    /// Segment files read; 0 when the log was created.
    package var segments = 0
    package var recordsReplayed = 0
    /// Records that were read and checked, and not replayed: they are part of the state that was there before.
    package var recordsSkipped = 0
    /// The last record there is.
    package var lastSequence = SequenceNumber.zero
    /// Whether every record was proved to have been on disk: the log ended with a seal, or with a segment without records, whose
    /// header proves those before it.
    package var sealed = false
    /// Bytes of a torn tail that were cut off.
    package var truncatedBytes: UInt64 = 0
    /// Where they were copied to: a name in the directory; nil without space for the copy. The next torn tail of the same segment
    /// replaces it.
    package var tornFile: String?
    /// Files left over from a creation that a crash cut short, removed.
    package var removedFiles: [String] = []
    /// Segments with nothing that is not part of the state that was there before: not read, and left for `removeSegments`.
    package var obsoleteFiles: [String] = []
    /// Files named like parts of a log that are none, left alone.
    package var ignoredFiles: [String] = []
}
