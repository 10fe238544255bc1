/// What a log may be told beyond its policy. The defaults are for production; tests make things small.
package struct LogOptions: Sendable {
    /// How far ahead of the last record a segment is filled with zeros.
    package struct Allocation: Sendable {
        /// Bytes of a new segment, and the least that is added.
        package var first: UInt64
        /// A segment doubles when it is full, up to this many bytes at a time.
        package var largestStep: UInt64
        /// Bytes behind the last record that only records with `mayUseReserve` may take: about 80 for the deletion of a document.
        package var reserve: UInt64

        package init(first: UInt64 = 2 << 20, largestStep: UInt64 = 16 << 20, reserve: UInt64 = 1 << 20) {
            self.first = first
            self.largestStep = largestStep
            self.reserve = reserve
        }
    }

    package var allocation: Allocation
    /// A segment that has grown to this many bytes is followed by another. It is larger by what its last batch brought too much.
    package var segmentLimit: UInt64
    /// How long nothing is written before a seal proves the last records.
    package var idleBeforeSeal: Duration
    /// How long a full disk gets only records that may use the reserve, before it is tried with others again.
    package var pauseWhenFull: Duration
    /// Payload bytes that may wait for the disk; more are refused. A single record is always taken.
    package var queueLimit: Int
    /// The name of the database, should the log be created; an existing log has its own.
    package var newDatabaseID: DatabaseID

    package init(
        allocation: Allocation = Allocation(), segmentLimit: UInt64 = 64 << 20, idleBeforeSeal: Duration = .milliseconds(100),
        pauseWhenFull: Duration = .milliseconds(250), queueLimit: Int = 256 << 20, newDatabaseID: DatabaseID = .random()
    ) {
        self.allocation = allocation
        self.segmentLimit = segmentLimit
        self.idleBeforeSeal = idleBeforeSeal
        self.pauseWhenFull = pauseWhenFull
        self.queueLimit = queueLimit
        self.newDatabaseID = newDatabaseID
    }
}
