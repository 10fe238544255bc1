/// The first 64 bytes of a snapshot. Little endian.
///
/// | offset | field | |
/// |---|---|---|
/// | 0 | | as `FileHeader` has it, with the magic `QUIRESNP` |
/// | 32 | sequence u64 | the last record of the log whose change is in the snapshot |
/// | 40 | made at i64 | milliseconds since 1970, for people |
/// | 48 | | 12 zeros |
/// | 60 | checksum u32 | as `FileHeader` has it |
struct SnapshotHeader: Equatable {
    static let length = FileHeader.length
    private static let kind = FileHeader.Kind(magic: "QUIRESNP", name: "snapshot", major: 1, minor: 0)

    var databaseID: DatabaseID
    var sequence: SequenceNumber
    var madeAt: Int64

    /// The header's 64 bytes and the checksum in them.
    func encoded() -> (bytes: [UInt8], checksum: UInt32) {
        var fields: [UInt8] = []
        fields.appendLittleEndian(sequence.rawValue)
        fields.appendLittleEndian(madeAt)
        fields += [UInt8](repeating: 0, count: 12)
        return FileHeader(kind: Self.kind, databaseID: databaseID).encoded(fields: fields)
    }

    /// Throws `damagedSnapshot` and `unsupportedFormat`.
    static func decode(_ bytes: UnsafeRawBufferPointer, of path: String) throws(StorageError) -> (header: SnapshotHeader, checksum: UInt32)
    {
        do throws(FileHeader.Flaw) {
            let (databaseID, _, fields, checksum) = try FileHeader.decode(bytes, of: kind)
            let header = SnapshotHeader(
                databaseID: databaseID, sequence: SequenceNumber(rawValue: fields.littleEndian(UInt64.self, at: 0)),
                madeAt: fields.littleEndian(Int64.self, at: 8))
            // The log goes on behind it.
            guard header.sequence.rawValue < .max else { throw .damaged("the snapshot header has an impossible sequence number") }
            return (header, checksum)
        } catch {
            switch error {
            case .damaged(let reason): throw .damagedSnapshot(file: path, offset: 0, reason: reason)
            case .newerVersion(let major, let minor): throw .unsupportedFormat(file: path, major: major, minor: minor)
            }
        }
    }
}
