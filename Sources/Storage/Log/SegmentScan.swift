/// Reads one segment from front to back as far as it can be read: what is intact is handed out, what is not is said, and reading goes
/// on behind it. For people who look, for checks and for repair; a start reads with `LogRecovery`, which trusts nothing behind damage.
package final class SegmentScan {
    package struct Entry: Sendable {
        package let offset: UInt64
        package let bytes: UInt64
        package let content: Content
    }

    package enum Content: Sendable {
        case record(LogRecord)
        /// Says that the records up to this one were on disk.
        case seal(SequenceNumber)
        /// `record` is what an intact header says of it, with its payload as it stands, which must not be trusted. `through` is the
        /// last record that the header, of a record or a seal, speaks of.
        case damage(reason: String, record: LogRecord?, through: SequenceNumber?)
        /// Zeros written ahead, to the end of the file.
        case unused
    }

    /// What the file's header says; nil if that is damaged.
    package struct Head: Sendable {
        package let databaseID: DatabaseID
        package let number: UInt64
        package let firstSequence: SequenceNumber
    }

    package let number: UInt64
    package let size: UInt64
    package let head: Head?
    /// What is wrong with the file's header.
    package let flaw: String?

    let header: SegmentHeader?
    /// The chain over the records that were handed out so far.
    private(set) var chain: UInt32
    private let reader: SegmentReader
    /// What the records are checked with; nil if nothing tells.
    private let seed: RecordSeed?
    /// The end of what is not zero.
    let contentEnd: UInt64
    private var offset: UInt64

    /// Opens `name` in `directory`.
    ///
    /// - Throws: `unsupportedFormat`, `ioFailed`.
    package init(_ name: String, in directory: String, fileSystem: any FileSystem) throws(StorageError) {
        guard let number = SegmentHeader.number(fileName: name) else { preconditionFailure("\(name) names a segment") }
        self.number = number
        reader = try SegmentReader("\(directory)/\(name)", fileSystem: fileSystem)
        size = reader.size
        contentEnd = try reader.endOfContent(from: 0)
        let bytes = Array(try reader.bytes(at: 0, count: SegmentHeader.length))
        do throws(FileHeader.Flaw) {
            let (header, seed) = try bytes.span.withUnsafeBytes { (bytes) throws(FileHeader.Flaw) in try SegmentHeader.decode(bytes) }
            (self.header, self.seed) = (header, seed)
            head = Head(databaseID: header.databaseID, number: header.number, firstSequence: header.firstSequence)
            flaw = header.number == number ? nil : "the file holds segment \(header.number)"
        } catch {
            guard case .damaged(let reason) = error else {
                guard case .newerVersion(let major, let minor) = error else { preconditionFailure("a header has one of two flaws") }
                throw .unsupportedFormat(file: reader.path, major: major, minor: minor)
            }
            (header, head, flaw) = (nil, nil, reason)
            seed = try Self.seed(ofDamaged: bytes, reader)
        }
        chain = seed?.checksum ?? 0
        offset = min(UInt64(SegmentHeader.length), size)
    }

    package func close() throws(StorageError) {
        try reader.close()
    }

    /// What the records are checked with, though the header is damaged: either the checksum in it is what it was, or the bytes before
    /// it are, and the version is one of those there are. The records tell which.
    private static func seed(ofDamaged header: [UInt8], _ reader: SegmentReader) throws(StorageError) -> RecordSeed? {
        guard header.count == SegmentHeader.length else { return nil }
        let checksums = header.withUnsafeBytes { bytes in
            [bytes.littleEndian(UInt32.self, at: 60), crc32c(0, UnsafeRawBufferPointer(rebasing: bytes[..<60]))]
        }
        var best: (seed: RecordSeed, intact: Int)?
        for checksum in checksums {
            for version in SegmentHeader.Version.allCases.reversed() {
                let seed = RecordSeed(version: version, checksum: checksum)
                // The headers of records are the same in all versions: of these the first to be tried is the current one.
                let records = try reader.laterRecords(from: UInt64(SegmentHeader.length), seed: seed)
                guard !records.isEmpty else { break }
                if records.intact > best?.intact ?? -1 { best = (seed, records.intact) }
            }
        }
        return best?.seed
    }

    /// The next entry; nil at the end of the file.
    package func next() throws(StorageError) -> Entry? {
        guard offset < size else { return nil }
        guard let seed else {
            return entry(to: size, .damage(reason: "nothing can be read without the file's header", record: nil, through: nil))
        }
        switch try reader.finding(at: offset, seed: seed) {
        case .end:
            return entry(to: size, .unused)
        case .record(let record):
            let header = record.header
            chain = withUnsafeBytes(of: record.checksum.littleEndian) { crc32c(chain, $0) }
            let isSeal = header.type == RecordHeader.sealType
            let content: Content = isSeal ? .seal(header.sequence) : .record(LogRecord(header, record.payload))
            return entry(to: offset + UInt64(header.recordLength), content)
        case .bad(let reason, let header?) where header.type != RecordHeader.sealType:
            let start = offset + UInt64(RecordHeader.length)
            let payload = Array(try reader.bytes(at: start, count: header.payloadLength))
            let next = min(offset + UInt64(header.recordLength), size)
            return entry(to: next, .damage(reason: reason, record: LogRecord(header, payload), through: header.sequence))
        case .bad(let reason, let seal):
            let next = try reader.nextHeader(from: offset + 8, before: contentEnd, seed: seed)
            return entry(to: next?.offset ?? contentEnd, .damage(reason: reason, record: nil, through: seal?.sequence))
        }
    }

    private func entry(to end: UInt64, _ content: Content) -> Entry {
        defer { offset = end }
        return Entry(offset: offset, bytes: end - offset, content: content)
    }

    /// Whether damage at `entry`, where the record behind `last` should stand, is the torn tail of the last segment: nothing behind it
    /// proves that the record had been on disk. As a start decides.
    package func isTornTail(_ entry: Entry, after last: SequenceNumber) throws(StorageError) -> Bool {
        guard let seed else { return false }
        let bytes = try reader.bytes(at: entry.offset, count: RecordHeader.length)
        let header = RecordHeader.decode(bytes, seed: seed)
        return !(try reader.laterRecords(behind: header, at: entry.offset, seed: seed)).prove(last.next)
    }
}
