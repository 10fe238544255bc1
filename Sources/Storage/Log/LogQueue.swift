import Locks

/// What appenders, waiters and the writer thread share. Does no I/O.
///
/// `@unchecked Sendable`: `state`, and the batches in it, are touched with `lock` held only.
final class LogQueue: @unchecked Sendable {
    enum Health {
        case running
        /// Records could not be written for want of space, and were removed; until `resume`.
        case failing(StorageError)
        /// For good.
        case poisoned(StorageError)
    }

    private struct State {
        var health = Health.running
        /// Until then, what may not use the reserve is refused with this: there was no space for it just now.
        var full: (until: SuspendingClock.Instant, error: StorageError)?
        /// What somebody else than the writer found, which is to poison the log.
        var failure: StorageError?
        var isClosing = false
        /// Takes new records until the writer takes it.
        var open = LogBatch()
        var lastAppended: SequenceNumber
        var lastWritten: SequenceNumber
        var lastDurable: SequenceNumber
    }

    private let lock = Lock()
    /// Signalled when the writer has something to do.
    private let work = Condition()
    private var state: State
    private let byteLimit: Int
    private let pauseWhenFull: Duration

    init(lastSequence: SequenceNumber, options: LogOptions) {
        state = State(lastAppended: lastSequence, lastWritten: lastSequence, lastDurable: lastSequence)
        byteLimit = options.queueLimit
        pauseWhenFull = options.pauseWhenFull
    }

    var lastSequence: SequenceNumber { lock.withLock { state.lastAppended } }
    var durableSequence: SequenceNumber { lock.withLock { state.lastDurable } }
    /// What waits for the writer.
    var waiting: (records: Int, bytes: Int) { lock.withLock { (state.open.records.count, state.open.payloadBytes) } }

    // MARK: Appenders

    func append(
        type: UInt8, version: UInt8, flags: RecordFlags, payload: [UInt8], mayUseReserve: Bool
    ) throws(StorageError) -> PendingRecord {
        guard payload.count <= LogRecord.maximumPayloadLength else {
            throw .recordTooLarge(bytes: payload.count, limit: LogRecord.maximumPayloadLength)
        }
        return try lock.withLock { () throws(StorageError) in
            switch state.health {
            case .running: break
            case .failing(let error), .poisoned(let error): throw error
            }
            guard !state.isClosing else { throw .closed }
            if let full = state.full, !mayUseReserve {
                guard SuspendingClock.now >= full.until else { throw full.error }
                state.full = nil
            }
            let batch = state.open
            let waiting = batch.payloadBytes + payload.count
            guard batch.records.isEmpty || waiting <= byteLimit else { throw .queueFull(bytes: waiting, limit: byteLimit) }
            state.lastAppended = state.lastAppended.next
            batch.records.append(
                LogBatch.QueuedRecord(
                    type: type, version: version, flags: flags, sequence: state.lastAppended, mayUseReserve: mayUseReserve,
                    payload: payload))
            batch.payloadBytes = waiting
            if batch.records.count == 1 { work.signal() }
            return PendingRecord(sequence: state.lastAppended, commit: batch.commit)
        }
    }

    /// Asks that the segment ends behind what was appended so far. Everyone who asks before the writer comes gets the same.
    func requestRotation() throws(StorageError) -> Settlement {
        try lock.withLock { () throws(StorageError) in
            if case .poisoned(let error) = state.health { throw error }
            guard !state.isClosing else { throw .closed }
            let rotation = state.open.rotation ?? Settlement()
            state.open.rotation = rotation
            work.signal()
            return rotation
        }
    }

    func wait(for settlement: Settlement) throws(StorageError) {
        try lock.withLock { () throws(StorageError) in
            while true {
                if let result = settlement.result { return try result.get() }
                settlement.decided.wait(lock)
            }
        }
    }

    func resume() {
        lock.withLock {
            guard case .failing = state.health else { return }
            state.health = .running
            state.lastAppended = state.lastWritten
        }
    }

    /// Has the writer poison the log.
    func reportFailure(_ error: StorageError) {
        lock.withLock {
            state.failure = error
            work.signal()
        }
    }

    /// Ends appending; what is queued is still written.
    func beginClosing() {
        lock.withLock {
            state.isClosing = true
            work.signal()
        }
    }

    // MARK: The writer

    enum Work {
        /// Records to write, a segment to end, or one after the other.
        case batch(LogBatch)
        /// The limit of the wait has passed.
        case nothing
        /// All is written and nothing more will come.
        case close
        /// What was reported from elsewhere.
        case failure(StorageError)
    }

    /// The next batch, once there is one. Waits for `limit`, or without limit when nil.
    func next(atMost limit: Duration?) -> Work {
        lock.withLock {
            while true {
                if let failure = state.failure { return .failure(failure) }
                if !state.open.isEmpty {
                    defer { state.open = LogBatch() }
                    return .batch(state.open)
                }
                if state.isClosing { return .close }
                guard let limit else {
                    work.wait(lock)
                    continue
                }
                // A wake-up without work restarts the wait: at worst the writer's next duty comes late by it.
                if !work.wait(lock, atMost: limit) { return .nothing }
            }
        }
    }

    /// Notes what is in the file and what of it is on disk.
    func advance(written: SequenceNumber, durable: SequenceNumber) {
        lock.withLock {
            state.lastWritten = written
            state.lastDurable = durable
        }
    }

    /// Refuses new records from here on and gives back what waits; it is the caller's to settle. Who waits for the end of the
    /// segment, and not for a record, goes on waiting unless it is for good.
    func stop(_ health: Health) -> LogBatch {
        lock.withLock {
            let stopped = state.open
            state.open = LogBatch()
            state.health = health
            switch health {
            case .running: preconditionFailure("nothing stops what runs")
            case .poisoned: state.lastAppended = state.lastWritten
            case .failing(let error):
                state.full = (.now + pauseWhenFull, error)
                swap(&state.open.rotation, &stopped.rotation)
            }
            return stopped
        }
    }

    /// Tells those who wait. What was settled before stays as it is: a batch on disk does not fail with the rotation behind it.
    func settle(_ settlement: Settlement, _ result: Result<Void, StorageError>) {
        lock.withLock {
            guard settlement.result == nil else { return }
            settlement.result = result
            settlement.decided.broadcast()
        }
    }
}
