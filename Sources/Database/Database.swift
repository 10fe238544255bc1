import Glibc
import Locks
package import Storage

/// The one owner of all state: libraries, documents and chunks in memory, made durable by the log.
///
/// A change is validated against the state as it will be once everything in flight is applied, written to the log, and applied when
/// the log says it is durable. A start loads the newest snapshot and replays the changes since then through the same `apply`, so memory
/// after N records is always what replaying those N gives.
// Sound as Sendable: `pending`, `lastRecord` and `refusals` are read and written under `writeLock`, `appliedSequence` under `applyLock`; everything else is constant
// or has its own lock.
package final class Database: @unchecked Sendable {
    let repository: Repository
    let builder: IndexBuilder
    let log: WriteAheadLog
    let snapshots: Snapshots
    package let loaded: Loaded
    private let directoryLock: DirectoryLock
    private let snapshotter = Snapshotter()
    let purge = Purge()
    let changeGate = ChangeGate()
    let recallEstimator: RecallEstimator
    let memoryInUse: @Sendable () -> Int
    /// Held while a snapshot is taken or looked for.
    let snapshotLock = Lock()
    let admission: Admission
    /// How much the log has grown since the last snapshot.
    let growth: LogGrowth
    let snapshotMeter: SnapshotMeter
    /// Held while changes are applied: whoever holds it sees the state after `appliedSequence`, and no other.
    let applyLock = Lock()
    private(set) var appliedSequence: SequenceNumber
    /// Held while a change is validated and gets its place in the log, so that both happen in one order.
    private let writeLock = Lock()
    private var pending = PendingChanges()
    /// The last change that got its place in the log.
    private var lastRecord: PendingRecord?
    private var refusals = 0

    /// Locks the directory, loads its newest snapshot and replays the log from there; then indexes are built beside everything else.
    ///
    /// - Parameters:
    ///   - logOptions: as they are for production; tests make things small.
    ///   - snapshotLogBytes: how much is written to the log before a snapshot is taken.
    ///   - budget: what changes may take of memory and disk.
    ///   - memoryInUse: bytes of memory of the process.
    ///   - builderThreads: how many threads build indexes; 0: none are built.
    ///   - recallSampling: how much is done to estimate recall.
    ///   - snapshotFailed: called when a snapshot that nobody waits for could not be taken; the log has everything still.
    ///   - storageFailed: called once, on the log's thread, when the storage failed for good; nothing is acknowledged after it.
    /// - Throws: `StorageError`, and `Thread.StartFailed`.
    package init(
        directory: String, fileSystem: any FileSystem = LocalFileSystem(), durability: DurabilityPolicy = .always,
        logOptions: LogOptions = LogOptions(), snapshotLogBytes: Int = 256 << 20, budget: Budget = .unlimited,
        memoryInUse: @escaping @Sendable () -> Int = processMemoryInUse, builderThreads: Int = 1,
        recallSampling: RecallSampling = RecallSampling(), snapshotFailed: @escaping @Sendable (DatabaseError) -> Void = { _ in },
        storageFailed: @escaping @Sendable (StorageError) -> Void = { _ in }
    ) throws {
        // As long as there is no log, a start that made the directory may have ended before that was on disk.
        try fileSystem.makeDirectories(directory) { () throws(StorageError) in
            try !LogFiles(directory: directory, fileSystem: fileSystem).segments().isEmpty
        }
        directoryLock = try DirectoryLock(directory: directory)
        let builder = IndexBuilder(threads: builderThreads)
        let snapshots = Snapshots(directory: directory, fileSystem: fileSystem)
        let growth = LogGrowth(limit: snapshotLogBytes)
        var loaded = Loaded()
        let snapshot = try Self.loadSnapshot(snapshots, snapshots.candidates(), builder, &loaded)
        let repository = snapshot?.repository ?? Repository(builder: builder)
        snapshotMeter = SnapshotMeter(last: loaded.snapshotInfo)
        self.builder = builder
        self.snapshots = snapshots
        self.growth = growth
        self.memoryInUse = memoryInUse
        recallEstimator = RecallEstimator(recallSampling)
        admission = Admission(budget, memoryInUse: memoryInUse) { () throws(StorageError) in try fileSystem.freeBytes(directory) }
        self.repository = repository
        do {
            log = try WriteAheadLog.open(
                directory: directory, fileSystem: fileSystem, policy: durability, options: logOptions, after: snapshot?.sequence ?? .zero,
                expectedDatabaseID: snapshot?.databaseID
            ) { record in
                growth.add(record.payload.count)
                try Self.replay(record, into: repository)
            }
        } catch let error as StorageError {
            // Without the snapshots that were refused the log alone has to have everything. If it has not, they are the reason.
            throw error.category == .dataRefused ? loaded.refused.first ?? error : error
        }
        appliedSequence = log.lastSequence
        // From here on files change: everything that could be refused has been read.
        for case .damagedSnapshot(let path, _, _) in loaded.refused { try snapshots.setAside(path) }
        try snapshots.removeTemporaryFiles()
        self.loaded = loaded
        try log.start(
            committed: { [unowned self] sequence in applyPending(through: sequence) },
            failed: { [unowned self] error in
                writeLock.withLock {
                    pending.removeAll()
                    log.resume()
                }
                if error.category == .storageFailed { storageFailed(error) }
            })
        // Only now: what the log ends with is built, not what it went through.
        do {
            try builder.start()
            try snapshotter.start { [unowned self] in
                do throws(DatabaseError) {
                    _ = try takeSnapshot()
                } catch {
                    snapshotFailed(error)
                }
            }
        } catch {
            builder.stop()
            try log.close()
            throw error
        }
    }

    /// - Throws: `unsupportedRecord`; `malformedPayload` if the record makes no sense, or no sense here.
    static func replay(_ record: LogRecord, into repository: Repository) throws(StorageError) {
        let mutation: Mutation
        do {
            mutation = try Mutation(record: record)
        } catch .unsupportedRecord where record.flags.contains(.skippable) {
            // A later version of the program wrote it, and says that the state is whole without it.
            return
        }
        do {
            try mutation.validateVectors(in: repository)
            try mutation.validate(against: CurrentState(repository: repository))
        } catch {
            throw .malformedPayload(offset: 0, reason: "the change cannot be applied: \(error)")
        }
        _ = repository.apply(mutation, at: record.sequence)
    }

    deinit {
        recallEstimator.stop()
        snapshotter.stop()
        builder.stop()
        purge.stop()
    }

    /// Finishes the changes that are queued and closes the log; indexes stay as they are. Changes are refused from here on; reading
    /// still works.
    ///
    /// - Throws: what kept the log from ending well.
    package func close() throws(StorageError) {
        recallEstimator.stop()
        snapshotter.stop()
        // A purge may be waiting for the builder, or for the log.
        builder.stop()
        purge.stop()
        try log.close()
    }

    package var recovery: RecoveryReport { log.recovery }
    package var lastSequence: SequenceNumber { log.lastSequence }
    package var durableSequence: SequenceNumber { log.durableSequence }

    /// Makes a change: validates it, writes it to the log, waits until it is durable and applied.
    ///
    /// - Parameters:
    ///   - expected: if given, the object's last change must be this one.
    ///   - check: what must hold besides, for live changes only (settings may be stricter than what was written under others).
    func commit(
        _ mutation: Mutation, expecting expected: SequenceNumber? = nil, check: (StateToCome) throws(DatabaseError) -> Void = { _ in }
    ) throws(DatabaseError) -> Repository.Outcome {
        let payload = try prepare(mutation)
        do {
            return try commit(mutation, payload, expected, check)
        } catch .storage(.insufficientSpace) where mutation.givesBack {
            // It was in one batch with others that may not use the log's reserve. These have to wait now.
            return try commit(mutation, payload, expected, check)
        }
    }

    /// Makes changes in their order, each for itself, and waits for all of them together: the log syncs them in few goes. What becomes
    /// of one says nothing of the next.
    func commitEach(
        _ changes: [(mutation: Mutation, expected: SequenceNumber?)],
        check: (StateToCome, Mutation) throws(DatabaseError) -> Void = { _, _ in }
    ) -> [Result<Repository.Outcome, DatabaseError>] {
        let begun = changes.map { mutation, expected -> (PendingChanges.Change, PendingRecord)? in
            guard let payload = try? prepare(mutation),
                case .accepted(let change, let record)? = try? writeLock.withLock({ () throws(DatabaseError) in
                    try judge(mutation, payload, expected) { state throws(DatabaseError) in try check(state, mutation) }
                })
            else { return nil }
            growth.add(payload.count)
            return (change, record)
        }
        return zip(changes, begun).map { change, begun in
            do throws(DatabaseError) {
                if let begun, try isCommitted(begun.1, change.mutation) { return .success(begun.0.outcome) }
                // Alone it is told why it cannot be, or waits for whom it has to wait for.
                return .success(
                    try commit(change.mutation, expecting: change.expected) { state throws(DatabaseError) in
                        try check(state, change.mutation)
                    })
            } catch {
                return .failure(error)
            }
        }
    }

    /// Waits for it; false: it has to be tried again, alone.
    private func isCommitted(_ record: PendingRecord, _ mutation: Mutation) throws(DatabaseError) -> Bool {
        do throws(StorageError) {
            try log.waitUntilCommitted(record)
            return true
        } catch {
            if case .insufficientSpace = error, mutation.givesBack { return false }
            throw .storage(error)
        }
    }

    /// What can be checked of a change before it is its turn, and the bytes of its record.
    private func prepare(_ mutation: Mutation) throws(DatabaseError) -> [UInt8] {
        if mutation.isVisible, !mutation.endsReembedding { changeGate.pass(mutation.libraryID) }
        // What takes time is checked before the lock.
        try mutation.validateVectors(in: repository)
        let payload = mutation.encoded()
        if !mutation.givesBack {
            try admission.admit(
                bytes: payload.count, indexes: { repository.memoryOfIndexesToCome }, besides: { repository.memory(besides: mutation) })
        }
        return payload
    }

    private func commit(
        _ mutation: Mutation, _ payload: [UInt8], _ expected: SequenceNumber?, _ check: (StateToCome) throws(DatabaseError) -> Void
    ) throws(DatabaseError) -> Repository.Outcome {
        while true {
            let judgement = try writeLock.withLock { () throws(DatabaseError) in try judge(mutation, payload, expected, check) }
            switch judgement {
            case .accepted(let change, let record):
                growth.add(payload.count)
                try storing { () throws(StorageError) in try log.waitUntilCommitted(record) }
                return change.outcome
            case .refused(let refusal, let last):
                defer { writeLock.withLock { refusals -= 1 } }
                // Without its reason, it is judged again.
                do throws(StorageError) { try log.waitUntilCommitted(last) } catch { continue }
                throw refusal
            }
        }
    }

    private enum Judgement {
        /// It has its place in the log.
        case accepted(PendingChanges.Change, PendingRecord)
        /// For a reason that is on its way, `last` being the last change that is. Who is refused looks for the reason, so it is told only
        /// when that is to be seen.
        case refused(DatabaseError, last: PendingRecord)
    }

    /// Under the write lock.
    private func judge(
        _ mutation: Mutation, _ payload: [UInt8], _ expected: SequenceNumber?, _ check: (StateToCome) throws(DatabaseError) -> Void
    ) throws(DatabaseError) -> Judgement {
        let documentCount: Int
        do {
            documentCount = try validate(mutation, after: pending, expected, check)
        } catch {
            guard !pending.isEmpty, let lastRecord else { throw error }
            // What is applied may be reason enough.
            _ = try validate(mutation, after: PendingChanges(), expected, check)
            refusals += 1
            return .refused(error, last: lastRecord)
        }
        let record = try storing { () throws(StorageError) in
            try log.append(
                type: mutation.recordType.rawValue, version: mutation.recordType.version, payload: payload,
                mayUseReserve: mutation.givesBack)
        }
        lastRecord = record
        return .accepted(pending.append(mutation, at: record.sequence, documentCount: documentCount), record)
    }

    /// How many changes wait to be told that they are refused.
    var waitingRefusals: Int { writeLock.withLock { refusals } }

    /// Returns how many documents the library will have after the change. Under the write lock.
    // A function of its own, so that its copy of `pending` is gone when `pending` changes.
    private func validate(
        _ mutation: Mutation, after pending: PendingChanges, _ expected: SequenceNumber?,
        _ check: (StateToCome) throws(DatabaseError) -> Void
    ) throws(DatabaseError) -> Int {
        let state = StateToCome(repository: repository, pending: pending)
        // First: what an update says of chunks is about the version that it was made of.
        if let expected, let last = state.lastChange(of: mutation), last != expected { throw .changedSince(last) }
        try mutation.validate(against: state)
        try check(state)
        let count = state.documentCount(of: mutation.libraryID)
        return switch mutation {
        case .putDocument(let record): state.library(of: record.id) == nil ? count + 1 : count
        case .deleteDocument: count - 1
        case .createLibrary, .updateLibrary, .deleteLibrary, .updateDocument, .rebuildIndex, .beginReembedding, .stageDocument,
            .finishReembedding, .cancelReembedding:
            count
        }
    }

    /// On the log's thread, the only one that applies. A change stays pending until it is applied, and the write lock is not held
    /// meanwhile: applying waits for the searches of one library, and other changes need not.
    private func applyPending(through sequence: SequenceNumber) {
        applyLock.withLock {
            while let change = writeLock.withLock({ pending.first(through: sequence) }) {
                change.outcome = repository.apply(change.mutation, at: change.sequence)
                writeLock.withLock { pending.removeFirst() }
            }
            appliedSequence = sequence
        }
        if growth.isDue() { snapshotter.ask() }
    }
}

/// Errors of the storage as those of the database.
func storing<Result>(_ body: () throws(StorageError) -> Result) throws(DatabaseError) -> Result {
    do {
        return try body()
    } catch {
        throw .storage(error)
    }
}
