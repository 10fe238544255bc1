import Glibc

/// The one thread that writes the log: takes all records that wait, writes them with one call, syncs, reports, wakes their waiters.
/// The sync that is running is the time in which the next batch gathers.
///
/// `@unchecked Sendable`: used by the thread that opens the log, then by the writer thread, then by the one that joined it.
final class LogWriter: @unchecked Sendable {
    /// `committed` runs in order after a batch is safe as the policy says, and before its waiters wake. `failed` runs when a batch
    /// could not be written, before its waiters wake.
    struct Observer: Sendable {
        let committed: @Sendable (SequenceNumber) -> Void
        let failed: @Sendable (StorageError) -> Void
    }

    private let queue: LogQueue
    private let retained: RetainedSegments
    private let directory: String
    private let fileSystem: any FileSystem
    private let policy: DurabilityPolicy
    private let options: LogOptions
    let meter = LogMeter()

    /// The current segment, the last of the log.
    private var segment: SegmentWriter
    /// A segment that reached its limit is not ended before it reaches this place: there was no space for the next one.
    private var noRotationBefore: UInt64 = 0
    private var written: SequenceNumber
    private var durable: SequenceNumber
    /// Whether there is nothing to seal: the last record is a seal, or there is no record, or its seal found no space.
    private var isSealed: Bool
    private var lastSync = SuspendingClock.now
    private var lastWrite = SuspendingClock.now
    /// The records of a batch as bytes; kept between batches, for its memory.
    private var buffer: [UInt8] = []

    /// More memory than this is given back after a large batch.
    private static let keptBufferCapacity = 8 << 20
    private static let longestWaitForDescriptors = Duration.seconds(5)

    /// `segment` is open at `position`, in `directory`.
    init(
        queue: LogQueue, retained: RetainedSegments, segment: SegmentWriter, position: LogRecovery.Position, directory: String,
        fileSystem: any FileSystem, policy: DurabilityPolicy, options: LogOptions
    ) {
        self.queue = queue
        self.retained = retained
        self.segment = segment
        self.directory = directory
        self.fileSystem = fileSystem
        self.policy = policy
        self.options = options
        written = position.lastSequence
        durable = position.lastSequence
        isSealed = position.sealed || position.lastSequence == .zero
    }

    /// Works until the log is closed. Throws what poisoned it, after telling everyone.
    func run(_ observer: Observer) throws(StorageError) {
        while true {
            switch queue.next(atMost: timeUntilNextDuty()) {
            case .batch(let batch):
                do { try perform(batch, observer) } catch { throw poison(error, batch, observer) }
            case .nothing:
                do { try performDuty() } catch { throw poison(error, nil, observer) }
            case .failure(let error):
                throw poison(error, nil, observer)
            case .close:
                do { try synchronizeAndSeal() } catch { throw poison(error, nil, observer) }
                return
            }
        }
    }

    func close() throws(StorageError) {
        try segment.close()
    }

    // MARK: Batches

    private func perform(_ batch: LogBatch, _ observer: Observer) throws(StorageError) {
        if !batch.records.isEmpty { try write(batch, observer) }
        // Only now, when nobody waits for the records any more.
        if batch.rotation != nil || segment.end >= max(segmentLimit, noRotationBefore) { try rotate() }
        if let rotation = batch.rotation { queue.settle(rotation, .success(())) }
    }

    /// One of an older version takes one batch, so that what is written from then on is checked as well as it can be.
    private var segmentLimit: UInt64 { segment.header.version == .current ? options.segmentLimit : 0 }

    private func write(_ batch: LogBatch, _ observer: Observer) throws(StorageError) {
        do {
            try append(batch)
        } catch {
            guard let error = error.asRefusal else { throw error }
            fail([batch.commit], .failing(error), error, observer)
            return
        }
        written = batch.records[batch.records.count - 1].sequence
        isSealed = false
        lastWrite = .now
        if isSyncDue { try synchronize() }
        advance()
        observer.committed(written)
        queue.settle(batch.commit, .success(()))
    }

    private func append(_ batch: LogBatch) throws(StorageError) {
        buffer.removeAll(keepingCapacity: buffer.capacity <= Self.keptBufferCapacity)
        buffer.reserveCapacity(batch.payloadBytes + batch.records.count * (RecordHeader.length + 12))
        var checksums: [UInt32] = []
        checksums.reserveCapacity(batch.records.count)
        for record in batch.records {
            let header = RecordHeader(
                payloadLength: record.payload.count, type: record.type, version: record.version, flags: record.flags,
                sequence: record.sequence, syncedSequence: durable)
            checksums.append(header.encode(payload: record.payload, seed: segment.seed, into: &buffer))
        }
        try segment.append(buffer, checksums: checksums, mayUseReserve: batch.records.allSatisfy(\.mayUseReserve))
        meter.wrote(records: batch.records.count, bytes: buffer.count)
    }

    /// Tells everyone how far the log is.
    private func advance() {
        queue.advance(written: written, durable: durable)
        retained.setCurrent(bytes: segment.end)
    }

    /// Ends what is in work, and what was queued behind it, with an error. No lock is held while the observer runs: it may call
    /// `resume`.
    private func fail(_ settlements: [Settlement], _ health: LogQueue.Health, _ error: StorageError, _ observer: Observer) {
        let waiting = queue.stop(health)
        observer.failed(error)
        for settlement in settlements + waiting.settlements { queue.settle(settlement, .failure(error)) }
    }

    /// Nobody knows what is on disk: a failed sync may have dropped the bytes and say "ok" when asked again. So nobody asks again.
    private func poison(_ error: StorageError, _ batch: LogBatch?, _ observer: Observer) -> StorageError {
        guard case .ioFailed(let operation, let path, let errno) = error else { preconditionFailure("files fail with ioFailed") }
        let poison = StorageError.poisoned(operation: operation, path: path, errno: errno)
        meter.poisoned()
        fail(batch?.settlements ?? [], .poisoned(poison), poison, observer)
        return poison
    }

    // MARK: Syncs and seals

    private var isSyncDue: Bool {
        switch policy {
        case .always: true
        case .interval(let milliseconds): lastSync.duration(to: .now) >= .milliseconds(milliseconds)
        case .os: false
        }
    }

    private func synchronize() throws(StorageError) {
        try synchronizeSegment()
        durable = written
        lastSync = .now
    }

    private func synchronizeSegment() throws(StorageError) {
        let start = SuspendingClock.now
        try segment.synchronize()
        meter.synced(in: start.duration(to: .now))
    }

    /// How long until a sync or a seal has to be made if no batch comes; nil when there is none to make.
    private func timeUntilNextDuty() -> Duration? {
        switch policy {
        case .interval(let milliseconds) where durable < written:
            .milliseconds(milliseconds) - lastSync.duration(to: .now)
        case .always where !isSealed, .interval where !isSealed:
            options.idleBeforeSeal - lastWrite.duration(to: .now)
        default:
            nil
        }
    }

    private func performDuty() throws(StorageError) {
        guard let remaining = timeUntilNextDuty(), remaining <= .zero else { return }
        if durable < written {
            try synchronize()
            advance()
        } else {
            try seal()
        }
    }

    /// Proves to a later recovery that all records so far were on disk: they are, before this is written.
    private func seal() throws(StorageError) {
        precondition(durable == written, "a seal speaks of synced records only")
        var record: [UInt8] = []
        let checksum = RecordHeader.seal(written).encode(payload: [], seed: segment.seed, into: &record)
        isSealed = true
        do {
            try segment.append(record, checksums: [checksum], mayUseReserve: true)
        } catch let error where error.asRefusal != nil {
            // Nobody waits for a seal: the log is as good as one killed before it, and the next batch gets its own.
            return
        }
        try synchronizeSegment()
        advance()
    }

    private func synchronizeAndSeal() throws(StorageError) {
        if durable < written {
            try synchronize()
            advance()
        }
        if !isSealed { try seal() }
    }

    // MARK: Rotation

    /// Ends the segment and goes on in a new one; without space or a descriptor for that, or on a file system that is read-only by now,
    /// in the old one. Afterwards all records are on disk. Does nothing while the segment has no records.
    ///
    /// The order is what a crash relies on: a segment that is not the last may not have a torn end, so the old one is synced, and
    /// sealed, before the new one has a name; and that name is on disk before a record is written behind it.
    private func rotate() throws(StorageError) {
        guard written > segment.header.previousLastSequence else { return }
        try synchronizeAndSeal()
        guard !segment.hasLeftover else {
            // It would stand before another segment.
            noRotationBefore = segment.end + options.allocation.first
            return
        }
        let header = segment.header.next(after: written, checksum: segment.chain)
        let position: LogRecovery.Position
        do {
            position = try SegmentWriter.create(header, in: directory, fileSystem: fileSystem, allocation: options.allocation)
        } catch let error where error.asRefusal != nil || error.isShortOfDescriptors {
            noRotationBefore = segment.end + options.allocation.first
            return
        }
        // From here on the old segment takes no more records, whatever fails: after a crash the new one may be there.
        try waitingForDescriptors { () throws(StorageError) in try fileSystem.synchronizeDirectory(directory) }
        let old = segment
        segment = try waitingForDescriptors { () throws(StorageError) in
            try SegmentWriter(position, in: directory, fileSystem: fileSystem, allocation: options.allocation)
        }
        try old.finish()
        retained.finishCurrent(
            as: RetainedSegments.Finished(number: old.header.number, lastSequence: written, bytes: old.end), next: segment.end)
        noRotationBefore = 0
    }

    /// Tries again for a while what there is no descriptor for: connections take them, and give them back.
    private func waitingForDescriptors<Result>(_ body: () throws(StorageError) -> Result) throws(StorageError) -> Result {
        let start = SuspendingClock.now
        while true {
            do throws(StorageError) {
                return try body()
            } catch {
                guard error.isShortOfDescriptors, start.duration(to: .now) < Self.longestWaitForDescriptors else { throw error }
                usleep(10_000)
            }
        }
    }
}
