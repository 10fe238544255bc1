package import Storage

/// What can still be had of a data directory that a start refuses: the newest snapshot that is whole, and every intact record behind it
/// that can still be applied, in order. Changes no file.
struct Salvage {
    let repository: Repository
    let snapshot: String?
    private(set) var databaseID: DatabaseID?
    /// How many records were applied.
    private(set) var applied = 0
    private(set) var givenUp: [GivenUp] = []

    private let directory: String
    private let log: LogFiles
    /// Where the snapshot ends; records up to it are part of it.
    private let base: SequenceNumber
    /// The last record whose place was reached, intact or lost.
    private var reached: SequenceNumber
    /// The highest number that anything says was given to a record.
    private var highest: SequenceNumber
    /// Damage that was met since `reached`.
    private var damage: [GivenUp.Place] = []

    /// - Throws: `unsupportedFormat` and `unsupportedRecord`, for what a later version wrote is not damaged; `ioFailed`.
    init(directory: String, fileSystem: any FileSystem) throws(StorageError) {
        self.directory = directory
        log = LogFiles(directory: directory, fileSystem: fileSystem)
        let builder = IndexBuilder(threads: 0)
        let snapshots = Snapshots(directory: directory, fileSystem: fileSystem)
        let names = try snapshots.names()
        var loaded = Database.Loaded()
        // The newest first, whatever `CURRENT` says: a crash may have come before it was written.
        let snapshot = try Database.loadSnapshot(snapshots, names.reversed(), builder, &loaded)
        repository = snapshot?.repository ?? Repository(builder: builder)
        self.snapshot = loaded.snapshot
        databaseID = snapshot?.databaseID
        base = snapshot?.sequence ?? .zero
        reached = base
        highest = max(base, names.compactMap(Snapshots.sequence(name:)).max() ?? .zero)
        for name in try segments() { try read(name) }
        finish()
    }

    /// The state after this record is what was salvaged. The numbers of records that were given up are not given again.
    var lastSequence: SequenceNumber { reached }

    // MARK: Reading

    /// The segments in the order in which they were written: what is in a header goes before the name of a file.
    private func segments() throws(StorageError) -> [String] {
        var numbered: [(number: UInt64, name: String)] = []
        for name in try log.segments() {
            let scan = try log.scan(name)
            numbered.append((scan.head?.number ?? scan.number, name))
            try scan.close()
        }
        return numbered.sorted { ($0.number, $0.name) < ($1.number, $1.name) }.map(\.name)
    }

    private mutating func read(_ name: String) throws(StorageError) {
        let scan = try log.scan(name)
        if let head = scan.head {
            guard databaseID ?? head.databaseID == head.databaseID else {
                let place = GivenUp.Place(file: name, offset: 0, bytes: scan.size, reason: "it belongs to database \(head.databaseID)")
                givenUp.append(GivenUp(sequences: nil, reason: "a segment of another database", places: [place]))
                return try scan.close()
            }
            databaseID = head.databaseID
            settle(through: SequenceNumber(rawValue: head.firstSequence.rawValue - 1))
        }
        if let flaw = scan.flaw {
            damage.append(GivenUp.Place(file: name, offset: 0, bytes: min(64, scan.size), reason: flaw))
        }
        while let entry = try scan.next() { try take(entry, of: name) }
        try scan.close()
    }

    private mutating func take(_ entry: SegmentScan.Entry, of name: String) throws(StorageError) {
        switch entry.content {
        case .unused:
            break
        case .seal(let sequence):
            settle(through: sequence)
        case .damage(let reason, let record, let through):
            highest = max(highest, through ?? .zero)
            damage.append(
                GivenUp.Place(
                    file: name, offset: entry.offset, bytes: entry.bytes, reason: reason, record: record?.sequence,
                    was: record.map { GivenUp.describe($0, Mutation.summary(ofDamaged: $0)) }))
        case .record(let record):
            guard record.sequence > reached else {
                // It is part of the snapshot, and so was what is damaged before it; behind that, it comes a second time.
                if reached == base { damage = [] }
                return
            }
            settle(through: SequenceNumber(rawValue: record.sequence.rawValue - 1))
            try apply(record, GivenUp.Place(file: name, offset: entry.offset, bytes: entry.bytes, reason: "it is intact"))
            reached = record.sequence
        }
    }

    private mutating func apply(_ record: LogRecord, _ place: GivenUp.Place) throws(StorageError) {
        do {
            try Database.replay(record, into: repository)
            applied += 1
        } catch .malformedPayload(_, let reason) {
            var place = place
            place.record = record.sequence
            place.was = GivenUp.describe(record, Mutation.summary(ofDamaged: record))
            givenUp.append(GivenUp(sequences: record.sequence...record.sequence, reason: reason, places: [place]))
        }
    }

    // MARK: Giving up

    /// What was met up to here holds no record behind `sequence`: so the damage in it cost what is missing until there, and no more.
    private mutating func settle(through sequence: SequenceNumber) {
        if sequence > reached {
            let reason = damage.isEmpty ? "in no file" : "damaged"
            givenUp.append(GivenUp(sequences: reached.next...sequence, reason: reason, places: damage))
            reached = sequence
        }
        damage = []
    }

    private mutating func finish() {
        if highest > reached { return settle(through: highest) }
        guard !damage.isEmpty else { return }
        givenUp.append(GivenUp(sequences: nil, reason: "nobody can tell whether there was a record", places: damage))
    }
}

/// Something that a repair gives up.
package struct GivenUp: Sendable, Equatable {
    /// A part of a file.
    package struct Place: Sendable, Equatable {
        package let file: String
        package let offset: UInt64
        package let bytes: UInt64
        package let reason: String
        /// The record that stands there, if that can be told, and
        package fileprivate(set) var record: SequenceNumber?
        /// what it was, as far as it can be read: what is damaged may read wrong.
        package fileprivate(set) var was: String?
    }

    /// The records; nil if it may have been none.
    package let sequences: ClosedRange<SequenceNumber>?
    package let reason: String
    /// Where they stood, as far as that is known.
    package let places: [Place]

    fileprivate static func describe(_ record: LogRecord, _ summary: String) -> String {
        "\(Mutation.RecordType.name(of: record)) \(summary)"
    }
}
