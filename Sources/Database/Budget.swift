import CPlatform
import Glibc
import Locks
import Storage

/// What a database may take of the machine. A change that would take more is refused; deletions never are, nor are snapshots.
package struct Budget: Sendable {
    /// Bytes of memory of the whole process, files that are mapped not counted.
    package var memoryBytes: Int
    /// Bytes that stay free in the file system of the data directory.
    package var diskReserveBytes: Int

    package init(memoryBytes: Int = .max, diskReserveBytes: Int = 0) {
        self.memoryBytes = memoryBytes
        self.diskReserveBytes = diskReserveBytes
    }

    package static let unlimited = Budget()
}

/// What a budget is about, at one moment.
package struct Resources: Sendable {
    package let budget: Budget
    /// Bytes of the whole process, without mapped files.
    package let memoryInUse: Int
    /// Bytes in the file system of the data directory.
    package let freeDisk: Int
}

/// Admits changes while there is memory and disk for them.
///
/// What is in use is read from the system, not reckoned: what counts is what the kernel counts when it ends a process. A reading serves
/// for a short while, and what was admitted since then is added to it.
// Sound as Sendable: all mutable state is read and written under `lock`.
final class Admission: @unchecked Sendable {
    private let budget: Budget
    private let memoryInUse: @Sendable () -> Int
    private let freeDisk: @Sendable () throws(StorageError) -> Int
    private let lock = Lock()
    private var memory = 0
    private var disk = 0
    private var readAt: SuspendingClock.Instant?
    /// Bytes of changes since then.
    private var admitted = 0
    /// Bytes that the indexes would still take then; nil while nobody had to know.
    private var indexesToCome: Int?
    private var trimmedAt: SuspendingClock.Instant?

    /// A reading serves as long, and for as many bytes.
    private static let readingAge = Duration.milliseconds(20)
    private static let readingBytes = 4 << 20
    private static let trimInterval = Duration.seconds(1)
    /// A change in memory is larger than on disk: a look-up entry for each id, room in buffers.
    private static let memoryPerByte = 1.5
    /// Up to this share of the budget nothing more exact is asked for.
    private static let easyShare = 0.75

    init(
        _ budget: Budget, memoryInUse: @escaping @Sendable () -> Int, freeDisk: @escaping @Sendable () throws(StorageError) -> Int
    ) {
        self.budget = budget
        self.memoryInUse = memoryInUse
        self.freeDisk = freeDisk
    }

    /// - Parameters:
    ///   - bytes: what the change takes in the log.
    ///   - indexes: bytes that indexes will still take for what was admitted before. Asked for near the limit only, once a reading: the
    ///     answer takes a look at every library.
    ///   - besides: bytes that the change takes besides its own, negative where it finds free ones. Asked for near the limit only.
    /// - Throws: `memoryBudgetReached`, `diskReserveReached`, `storage`.
    func admit(bytes: Int, indexes: () -> Int, besides: () -> Int) throws(DatabaseError) {
        try lock.withLock { () throws(DatabaseError) in
            if !isFresh(bytes) { try read() }
            let memoryNeeded = Int(Double(admitted + bytes) * Self.memoryPerByte)
            if memory + memoryNeeded > Int(Double(budget.memoryBytes) * Self.easyShare) {
                let indexesToCome = indexesToCome ?? indexes()
                self.indexesToCome = indexesToCome
                try admitMemory(memoryNeeded + indexesToCome + besides())
            }
            guard disk - admitted - bytes >= budget.diskReserveBytes else {
                readAt = nil
                throw .diskReserveReached(free: disk, reserve: budget.diskReserveBytes)
            }
            admitted += bytes
        }
    }

    /// How much there is of what the budget is about, as it is now.
    ///
    /// - Throws: `storage`.
    func resources() throws(DatabaseError) -> Resources {
        Resources(budget: budget, memoryInUse: memoryInUse(), freeDisk: try storing(freeDisk))
    }

    private func isFresh(_ bytes: Int) -> Bool {
        guard let readAt else { return false }
        return admitted + bytes <= Self.readingBytes && SuspendingClock.now - readAt <= Self.readingAge
    }

    private func read() throws(DatabaseError) {
        memory = memoryInUse()
        disk = try storing(freeDisk)
        admitted = 0
        indexesToCome = nil
        readAt = .now
    }

    private func admitMemory(_ bytes: Int) throws(DatabaseError) {
        guard memory + bytes > budget.memoryBytes else { return }
        // What was deleted is the allocator's still. Giving it back takes it some time.
        if trimmedAt.map({ SuspendingClock.now - $0 >= Self.trimInterval }) ?? true {
            quire_give_back_freed_memory()
            memory = memoryInUse()
            trimmedAt = .now
        }
        guard memory + bytes > budget.memoryBytes else { return }
        throw .memoryBudgetReached(inUse: memory, budget: budget.memoryBytes)
    }
}

/// The memory of this process that nobody can take away: resident pages without those of files (proc(5), statm).
package func processMemoryInUse() -> Int {
    let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return 0 }
    defer { _ = close(descriptor) }
    var text = [UInt8](repeating: 0, count: 128)
    let count = read(descriptor, &text, text.count)
    let pages = String(decoding: text.prefix(max(0, count)), as: UTF8.self).split(separator: " ").prefix(3).map { Int($0) ?? 0 }
    guard pages.count == 3 else { return 0 }
    return (pages[1] - pages[2]) * Int(sysconf(Int32(_SC_PAGESIZE)))
}
