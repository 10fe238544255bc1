/// Appends to the last segment of a log, into zeros that were written ahead: a sync is then about bytes only and not about the
/// file's growth, which on this kind of disk takes a third of the time. The last of these zeros are a reserve: with them a full disk
/// still has room for the records that give space back.
///
/// Belongs to one thread at a time.
final class SegmentWriter {
    let header: SegmentHeader
    let seed: RecordSeed
    private let file: any File
    private let allocation: LogOptions.Allocation

    /// Where the next record goes.
    private(set) var end: UInt64
    /// The size of the file. Between `end` and here there is nothing but zeros.
    private(set) var allocated: UInt64
    /// The chain over the checksums of the segment's records.
    private(set) var chain: UInt32
    /// Whether something may stand behind the records that a failed write has left, on a file system that does not let it be removed.
    private(set) var hasLeftover = false
    /// No zeros ahead are tried before the file has this size: the last ones found no space.
    private var noZerosBefore: UInt64 = 0

    private static let zeros = [UInt8](repeating: 0, count: 1 << 20)

    /// Opens the segment that ends at `position`.
    init(
        _ position: LogRecovery.Position, in directory: String, fileSystem: any FileSystem, allocation: LogOptions.Allocation
    ) throws(StorageError) {
        header = position.header
        seed = position.seed
        self.allocation = allocation
        file = try fileSystem.open("\(directory)/\(header.fileName)", for: .updating)
        end = position.offset
        allocated = try file.size()
        chain = position.chain
        do {
            try makeRoom(for: end + allocation.reserve)
        } catch let error where error.asInsufficientSpace != nil {
            // The next record that may not do without finds the same, and is refused.
        }
    }

    /// Creates the file of a segment with its header and the zeros of the first allocation, whole or not at all. It is there for
    /// good once the directory is synced.
    static func create(
        _ header: SegmentHeader, in directory: String, fileSystem: any FileSystem, allocation: LogOptions.Allocation
    ) throws(StorageError) -> LogRecovery.Position {
        let (bytes, seed) = header.encoded()
        try fileSystem.placeWhole(header.fileName, in: directory) { (file) throws(StorageError) in
            try file.writeFully(bytes[...], at: 0)
            var position = UInt64(bytes.count)
            while position < allocation.first {
                let count = Int(min(allocation.first - position, UInt64(zeros.count)))
                try file.writeFully(zeros.prefix(count), at: position)
                position += UInt64(count)
            }
        }
        return LogRecovery.Position(startOf: header, seed: seed)
    }

    /// Writes whole records at the end, whose checksums are `checksums`. Without space for them, and behind them for the reserve
    /// unless they may use it, this fails and there is no trace of them. On a file system that is read-only by now it fails, and what may be
    /// there of them goes before the next ones come.
    func append(_ records: [UInt8], checksums: [UInt32], mayUseReserve: Bool) throws(StorageError) {
        if hasLeftover { try cutBack() }
        let newEnd = end + UInt64(records.count)
        try makeRoom(for: newEnd + (mayUseReserve ? 0 : allocation.reserve))
        do {
            try file.writeFully(records[...], at: end)
        } catch let error where error.asInsufficientSpace != nil {
            // A file system that takes space for what is overwritten.
            try cutBack()
            throw error
        } catch let error where error.asReadOnly != nil {
            hasLeftover = true
            throw error
        }
        end = newEnd
        for checksum in checksums {
            chain = withUnsafeBytes(of: checksum.littleEndian) { crc32c(chain, $0) }
        }
    }

    /// Removes what is behind the records, durably.
    private func cutBack() throws(StorageError) {
        hasLeftover = true
        try file.truncate(to: end)
        try file.synchronize()
        allocated = end
        hasLeftover = false
    }

    func synchronize() throws(StorageError) {
        try file.synchronizeData()
    }

    /// Writes what stands behind `offset` once more, for the next sync. After one that failed the kernel may hold pages for written
    /// that are not, and go on to show them (Rebello et al., Can Applications Recover from fsync Failures?, USENIX ATC 2020).
    func writeAgain(from offset: UInt64) throws(StorageError) {
        var offset = offset
        while offset < end {
            let bytes = try file.read(Int(min(end - offset, 1 << 20)), at: offset)
            try file.writeFully(bytes[...], at: offset)
            offset += UInt64(bytes.count)
        }
    }

    /// Closes a segment that gets no more records, without the zeros. The cut is not synced: the segment reads the same without it.
    func finish() throws(StorageError) {
        if allocated > end { try file.truncate(to: end) }
        try file.close()
    }

    func close() throws(StorageError) {
        try file.close()
    }

    /// Sees to it that the file has at least `needed` bytes, and some more for what comes next. Without space for these it does without
    /// them, and leaves the space to others: they save time, nothing else. Without space for `needed` it fails, and changes nothing.
    private func makeRoom(for needed: UInt64) throws(StorageError) {
        guard needed > allocated else { return }
        let step = min(max(allocated, allocation.first), allocation.largestStep)
        let target = needed >= noZerosBefore ? max(needed, allocated + step) : needed
        do {
            try fill(to: needed)
            try fill(to: target)
        } catch let error where error.asInsufficientSpace != nil {
            try file.truncate(to: allocated)
            noZerosBefore = allocated + step
            if allocated < needed { throw error }
        }
    }

    private func fill(to size: UInt64) throws(StorageError) {
        var position = allocated
        while position < size {
            let count = Int(min(size - position, UInt64(Self.zeros.count)))
            try file.writeFully(Self.zeros.prefix(count), at: position)
            position += UInt64(count)
        }
        allocated = size
    }
}
