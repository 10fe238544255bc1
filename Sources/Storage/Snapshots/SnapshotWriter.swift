/// Writes the sections of a snapshot, one after the other. `Snapshots.write` makes it and publishes what it wrote.
package struct SnapshotWriter {
    private let file: any File
    private let checksum: UInt32
    private var offset: UInt64
    private var syncedOffset: UInt64 = 0
    private var ordinal: UInt32 = 0
    /// The section as bytes; kept between sections, for its memory.
    private var buffer: [UInt8] = []

    /// As much is written between two syncs. Were all of it left to the last one, the syncs of the log would wait behind that.
    private static let syncBytes: UInt64 = 4 << 20

    init(_ header: SnapshotHeader, file: any File) throws(StorageError) {
        let (bytes, checksum) = header.encoded()
        try file.writeFully(bytes[...], at: 0)
        self.file = file
        self.checksum = checksum
        offset = UInt64(bytes.count)
    }

    /// - Parameters:
    ///   - type: not 0, which is the end's.
    ///   - isSkippable: whether a reader that does not know the type loses nothing that it could not make again.
    package mutating func write(type: UInt16, isSkippable: Bool = false, _ payload: [UInt8]) throws(StorageError) {
        precondition(type != SnapshotSection.endType, "section type 0 ends the file")
        try append(type: type, isSkippable: isSkippable, payload[...])
    }

    /// Writes `bytes` as so many sections as their size needs, at least one.
    package mutating func writeAll(type: UInt16, isSkippable: Bool = false, _ bytes: [UInt8]) throws(StorageError) {
        precondition(type != SnapshotSection.endType, "section type 0 ends the file")
        var start = 0
        repeat {
            let end = min(bytes.count, start + SnapshotSection.maximumPayloadLength)
            try append(type: type, isSkippable: isSkippable, bytes[start..<end])
            start = end
        } while start < bytes.count
    }

    /// Says that nothing follows; returns the size of the file.
    mutating func finish() throws(StorageError) -> UInt64 {
        try append(type: SnapshotSection.endType, isSkippable: false, [])
        return offset
    }

    private mutating func append(type: UInt16, isSkippable: Bool, _ payload: ArraySlice<UInt8>) throws(StorageError) {
        precondition(payload.count <= SnapshotSection.maximumPayloadLength, "a section has at most 66 MiB")
        buffer.removeAll(keepingCapacity: true)
        buffer.appendLittleEndian(SnapshotSection.magic)
        buffer.appendLittleEndian(type)
        buffer.appendLittleEndian(isSkippable ? SnapshotSection.skippableFlag : 0)
        buffer.appendLittleEndian(ordinal)
        buffer.appendLittleEndian(UInt32(payload.count))
        let padding = [UInt8](repeating: 0, count: -payload.count & 7)
        let payloadChecksum = padding.withUnsafeBytes { padding in
            crc32c(payload.withUnsafeBytes { crc32c(checksum, $0) }, padding)
        }
        buffer.appendLittleEndian(payloadChecksum)
        buffer.appendLittleEndian(buffer.withUnsafeBytes { crc32c(checksum, $0) })
        buffer.append(contentsOf: payload)
        buffer.append(contentsOf: padding)
        try file.writeFully(buffer[...], at: offset)
        offset += UInt64(buffer.count)
        ordinal += 1
        if offset - syncedOffset >= Self.syncBytes {
            try file.synchronizeData()
            syncedOffset = offset
        }
    }
}
