/// Reads the sections of a snapshot from front to back; memory is that of one section.
package final class SnapshotReader {
    package let databaseID: DatabaseID
    package let sequence: SequenceNumber
    /// Milliseconds since 1970.
    package let madeAt: Int64
    private let file: any File
    /// Of the file, in bytes.
    package let size: UInt64
    private let checksum: UInt32
    private var offset: UInt64
    private var ordinal: UInt32 = 0

    /// Throws `damagedSnapshot`, `unsupportedFormat` and `ioFailed`.
    init(_ file: any File) throws(StorageError) {
        self.file = file
        let path = file.path
        size = try file.size()
        let bytes = try file.read(Int(min(UInt64(SnapshotHeader.length), size)), at: 0)
        let header: SnapshotHeader
        (header, checksum) = try bytes.span.withUnsafeBytes { (bytes) throws(StorageError) in
            try SnapshotHeader.decode(bytes, of: path)
        }
        databaseID = header.databaseID
        sequence = header.sequence
        madeAt = header.madeAt
        offset = UInt64(SnapshotHeader.length)
    }

    /// The next section, or nil when the end was read. Its payload may be damaged, and says so; all else that is damaged throws
    /// `damagedSnapshot`.
    package func next() throws(StorageError) -> SnapshotSection? {
        guard size - offset >= UInt64(SnapshotSection.headerLength) else { throw damaged("it ends within a section, or without an end") }
        let head = try file.read(SnapshotSection.headerLength, at: offset)
        let (type, flags, number, length, payloadChecksum, isValid) = head.span.withUnsafeBytes { bytes in
            (
                bytes.littleEndian(UInt16.self, at: 4), bytes.littleEndian(UInt16.self, at: 6), bytes.littleEndian(UInt32.self, at: 8),
                bytes.littleEndian(UInt32.self, at: 12), bytes.littleEndian(UInt32.self, at: 16),
                bytes.littleEndian(UInt32.self, at: 0) == SnapshotSection.magic
                    && crc32c(checksum, UnsafeRawBufferPointer(rebasing: bytes[..<20])) == bytes.littleEndian(UInt32.self, at: 20)
            )
        }
        guard isValid else { throw damaged("no valid section header") }
        guard number == ordinal else { throw damaged("found section \(number) instead of \(ordinal)") }
        guard length <= SnapshotSection.maximumPayloadLength else { throw damaged("a section of \(length) bytes") }
        let start = offset
        let padded = (UInt64(length) + 7) & ~7
        let payloadStart = offset + UInt64(SnapshotSection.headerLength)
        guard padded <= size - payloadStart else { throw damaged("the section is cut off") }
        var payload = try file.read(Int(padded), at: payloadStart)
        let isIntact = payload.withUnsafeBytes { crc32c(checksum, $0) } == payloadChecksum
        payload.removeLast(Int(padded - UInt64(length)))
        offset = payloadStart + padded
        ordinal += 1
        guard type != SnapshotSection.endType else {
            guard length == 0, offset == size else { throw damaged("bytes after the end") }
            return nil
        }
        return SnapshotSection(
            type: type, isSkippable: flags & SnapshotSection.skippableFlag != 0, payload: payload, isIntact: isIntact, offset: start)
    }

    /// What is wrong at the place that reading has reached.
    package func damaged(_ reason: String) -> StorageError {
        .damagedSnapshot(file: file.path, offset: offset, reason: reason)
    }

    package func damaged(_ section: SnapshotSection, _ reason: String) -> StorageError {
        .damagedSnapshot(file: file.path, offset: section.offset, reason: reason)
    }

    /// Reads all sections; throws unless each is as it was written.
    func verify() throws(StorageError) {
        while let section = try next() {
            guard section.isIntact else { throw damaged(section, "the section does not match its checksum") }
        }
    }

    package func close() throws(StorageError) {
        try file.close()
    }
}
