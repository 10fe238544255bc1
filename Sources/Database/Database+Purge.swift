import CPlatform
import Locks
import Storage
import VectorSearch

/// How a purge is going, or went.
package struct PurgeStatus: Sendable {
    package enum State: Sendable, Equatable {
        /// None was asked for since the start.
        case none
        case running
        case done
        case failed(DatabaseError)
    }

    package var state = State.none
    package var startedAt: Timestamp?
    package var finishedAt: Timestamp?
    /// Libraries whose vectors lie together, of how many.
    package var librariesDone = 0
    package var libraries = 0
    /// Documents that have vectors in other rows now.
    package var documentsMoved = 0
    /// Rows that libraries gave back.
    package var rowsFreed = 0
    /// Of the process, before and after.
    package var memoryBytes: (before: Int, after: Int)?
    /// Of log and snapshots, before and after.
    package var diskBytes: (before: Int, after: Int)?
}

extension Database {
    package var purgeStatus: PurgeStatus { purge.current }

    /// Begins to give back what deletions left: moves the vectors of each library together and frees the memory behind them, then writes
    /// two snapshots that replace all that the log and older snapshots know of deleted documents. Searches and changes go on; rows that
    /// were moved are searched exactly until the index has taken them in again.
    ///
    /// - Throws: `purgeIsRunning`.
    package func startPurge() throws(DatabaseError) -> PurgeStatus {
        try purge.begin(libraries: repository.allLibraries.count) { [unowned self] in
            do throws(DatabaseError) {
                try runPurge()
                return .done
            } catch {
                return .failed(error)
            }
        }
    }

    private func runPurge() throws(DatabaseError) {
        let (memory, disk) = (memoryInUse(), try diskInUse())
        for library in repository.allLibraries {
            compact(library)
            purge.update { $0.librariesDone += 1 }
        }
        quire_give_back_freed_memory()
        _ = try takeSnapshot()
        // Two snapshots are kept, and of one state there is one: so there has to be another.
        try mark()
        _ = try takeSnapshot()
        let after = (memory: memoryInUse(), disk: try diskInUse())
        purge.update { status in
            status.memoryBytes = (memory, after.memory)
            status.diskBytes = (disk, after.disk)
        }
    }

    /// As many rows are moved while searches of the library wait.
    private static let rowsAtOnce = 512

    private func compact(_ library: Library) {
        // No snapshot meanwhile: it would keep the rows that are to go.
        snapshotLock.withLock {
            let rows = library.lock.withWriteLock {
                library.vectors.letsGoAtOnce = true
                return library.vectors.store.usedRows
            }
            // What was released becomes free first, then room for what is moved.
            letIndexCatchUp(library)
            while let step = applyLock.withLock({ repository.compact(library, limit: Self.rowsAtOnce) }) {
                purge.update { $0.documentsMoved += step.documents }
                guard step.hasMore, !purge.isStopped else { break }
            }
            letIndexCatchUp(library)
            let freed = library.lock.withWriteLock {
                library.vectors.letsGoAtOnce = false
                library.vectors.shrink()
                return rows - library.vectors.store.usedRows
            }
            purge.update { $0.rowsFreed += max(0, freed) }
        }
    }

    private func letIndexCatchUp(_ library: Library) {
        builder.mark(library)
        builder.waitUntilClean(library)
    }

    /// Writes a record that changes nothing.
    private func mark() throws(DatabaseError) {
        try storing { () throws(StorageError) in
            try log.waitUntilCommitted(
                try log.append(type: Mutation.markType, flags: .skippable, payload: [], mayUseReserve: true))
        }
    }

    private func diskInUse() throws(DatabaseError) -> Int {
        Int(log.retainedBytes) + (try listSnapshots().reduce(0) { $0 + Int($1.bytes) })
    }
}

/// Runs one purge at a time, on a thread of its own.
// Sound as Sendable: all mutable state is read and written under `lock`.
final class Purge: @unchecked Sendable {
    private let lock = Lock()
    private var status = PurgeStatus()
    private var thread: Thread?
    private var stopped = false

    var current: PurgeStatus { lock.withLock { status } }
    var isStopped: Bool { lock.withLock { stopped } }

    func update(_ change: (inout PurgeStatus) -> Void) {
        lock.withLock { change(&status) }
    }

    func begin(libraries: Int, _ run: @escaping @Sendable () -> PurgeStatus.State) throws(DatabaseError) -> PurgeStatus {
        try lock.withLock { () throws(DatabaseError) in
            guard status.state != .running, !stopped else { throw .purgeIsRunning }
            thread?.join()
            do throws(Thread.StartFailed) {
                thread = try Thread("quire-purge") { [self] in
                    let outcome = run()
                    update { status in
                        status.state = outcome
                        status.finishedAt = .now()
                    }
                }
            } catch {
                thread = nil
                throw .storage(.ioFailed(operation: "pthread_create", path: "quire-purge", errno: error.errno))
            }
            status = PurgeStatus()
            status.state = .running
            status.startedAt = .now()
            status.libraries = libraries
            return status
        }
    }

    /// Waits for the end of the one that is running, which comes soon. More than once does no harm.
    func stop() {
        let thread = lock.withLock {
            stopped = true
            defer { self.thread = nil }
            return self.thread
        }
        thread?.join()
    }
}
