import Glibc

/// Appends to the last segment of a log, into zeros that were written ahead: a sync is then about bytes only and not about the
/// file's growth, which on this kind of disk takes a third of the time.
///
/// Belongs to one thread at a time.
final class SegmentWriter {
    let header: SegmentHeader
    let checksum: UInt32
    private let file: any File
    private let allocation: LogOptions.Allocation

    /// Where the next record goes.
    private(set) var end: UInt64
    /// The size of the file. Between `end` and here there is nothing but zeros.
    private(set) var allocated: UInt64
    /// The chain over the checksums of the segment's records.
    private(set) var chain: UInt32
    /// Zeros are not tried again before the records reach this place: the last ones found no space.
    private var noZerosBefore: UInt64 = 0

    private static let zeros = [UInt8](repeating: 0, count: 1 << 20)

    /// Opens the segment that ends at `position`.
    init(
        _ position: LogRecovery.Position, in directory: String, fileSystem: any FileSystem, allocation: LogOptions.Allocation
    ) throws(StorageError) {
        header = position.header
        checksum = position.segmentChecksum
        self.allocation = allocation
        file = try fileSystem.open("\(directory)/\(header.fileName)", for: .updating)
        end = position.offset
        allocated = try file.size()
        chain = position.chain
    }

    /// Creates the file of a segment with its header and the zeros of the first allocation, whole or not at all. It is there for
    /// good once the directory is synced.
    static func create(
        _ header: SegmentHeader, in directory: String, fileSystem: any FileSystem, allocation: LogOptions.Allocation
    ) throws(StorageError) -> LogRecovery.Position {
        let (bytes, checksum) = header.encoded()
        try fileSystem.placeWhole(header.fileName, in: directory) { (file) throws(StorageError) in
            try file.writeFully(bytes[...], at: 0)
            var position = UInt64(bytes.count)
            while position < allocation.first {
                let count = Int(min(allocation.first - position, UInt64(zeros.count)))
                try file.writeFully(zeros.prefix(count), at: position)
                position += UInt64(count)
            }
        }
        return LogRecovery.Position(
            header: header, segmentChecksum: checksum, chain: checksum, offset: UInt64(bytes.count),
            lastSequence: header.previousLastSequence, sealed: header.provesEarlierRecords)
    }

    /// Writes whole records at the end, whose checksums are `checksums`. After a failure some of their bytes may be in the file:
    /// call `cutBack` before anything else, or stop.
    func append(_ records: [UInt8], checksums: [UInt32]) throws(StorageError) {
        let newEnd = end + UInt64(records.count)
        // The records come first: zeros may only have the space that they leave.
        try file.writeFully(records[...], at: end)
        if newEnd > allocated { allocated = try extend(beyond: newEnd) }
        end = newEnd
        for checksum in checksums {
            chain = withUnsafeBytes(of: checksum.littleEndian) { crc32c(chain, $0) }
        }
    }

    /// Removes what a failed `append` left, durably.
    func cutBack() throws(StorageError) {
        try file.truncate(to: end)
        try file.synchronize()
        allocated = end
    }

    func synchronize() throws(StorageError) {
        try file.synchronizeData()
    }

    /// Closes a segment that gets no more records, without the zeros. The cut is not synced: the segment reads the same without it.
    func finish() throws(StorageError) {
        if allocated > end { try file.truncate(to: end) }
        try file.close()
    }

    func close() throws(StorageError) {
        try file.close()
    }

    /// Writes zeros from `newEnd`, the end of the file, up to a new size, and returns it. Without space for all of them it does
    /// without any, and leaves the space to the next records and to others: zeros save time, nothing else.
    private func extend(beyond newEnd: UInt64) throws(StorageError) -> UInt64 {
        guard newEnd >= noZerosBefore else { return newEnd }
        let step = min(max(allocated, allocation.first), allocation.largestStep)
        let target = max(newEnd, allocated + step)
        var position = newEnd
        while position < target {
            let count = Int(min(target - position, UInt64(Self.zeros.count)))
            do {
                try file.writeFully(Self.zeros.prefix(count), at: position)
            } catch .ioFailed(_, _, let errno) where StorageError.isOutOfSpace(errno) {
                try file.truncate(to: newEnd)
                noZerosBefore = newEnd + step
                return newEnd
            }
            position += UInt64(count)
        }
        return target
    }
}

extension StorageError {
    /// Whether an errno of a write says that there is no room: on the disk, in the quota, or below the limit of a file's size.
    static func isOutOfSpace(_ code: Int32) -> Bool {
        code == ENOSPC || code == EDQUOT || code == EFBIG
    }
}
