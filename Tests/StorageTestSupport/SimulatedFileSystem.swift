import Glibc
import Locks
package import Storage

/// Files in memory that fail on request and forget what was not synced when the power goes.
///
/// Power loss works on sectors of 512 bytes: of what was written since the last sync, any subset of sectors may be there. Names
/// come and go in order, as in a journalled file system: of the changes since the last sync of the directory, the first few hold.
///
/// With a `capacity`, files take blocks of 512 bytes where they were written, and none for a hole: a write that does not fit is cut
/// short, one for which there is no byte fails with `ENOSPC`.
///
/// `@unchecked Sendable`: everything that changes is guarded by `lock`.
package final class SimulatedFileSystem: FileSystem, @unchecked Sendable {
    package enum Operation: Hashable, Sendable {
        case open, status, give, read, write, truncate, synchronizeData, synchronize, close
        case makeDirectory, list, rename, remove, synchronizeDirectory

        /// As errors of the real one call it.
        package var systemCall: String {
            switch self {
            case .synchronizeData: "fdatasync"
            case .give: "fchown"
            case .synchronize, .synchronizeDirectory: "fsync"
            default: "\(self)"
            }
        }
    }

    package struct Call: Sendable {
        package let operation: Operation
        package let path: String
        /// 1 for the first call of any operation.
        package let number: Int
        /// 1 for the first call of this operation.
        package let numberOfOperation: Int
        /// Whether it writes nothing but zeros.
        package let writesZeros: Bool
    }

    package enum Fault: Sendable {
        case fail(Int32)
        /// Transfers at most this many bytes and succeeds.
        case short(Int)
        /// Writes this many bytes and fails all the same. A sync syncs nothing, and what it was to sync never will be unless it is written
        /// again, though it is read as if it were there; so are names that a sync of the directory was to sync, unless they are made again.
        case partial(Int, Int32)
    }

    fileprivate final class Node {
        var durable: [UInt8]
        var current: [UInt8]
        var pending: [Change] = []
        var owner = FileStatus.Owner(user: 0, group: 0)
        /// The numbers of the blocks that the file takes; nil if there are as many as anybody wants.
        private(set) var blocks: Set<Int>?

        init(_ bytes: [UInt8], countsBlocks: Bool) {
            durable = bytes
            current = bytes
            blocks = countsBlocks ? Set(0..<(bytes.count + blockSize - 1) / blockSize) : nil
        }

        /// Its times stand still: whoever compares states has to compare sizes.
        var status: FileStatus {
            FileStatus(
                kind: .file, owner: owner, permissions: 0o600, size: UInt64(current.count),
                device: 0, number: UInt64(UInt(bitPattern: ObjectIdentifier(self))), changed: 0)
        }

        func make(_ change: Change) {
            change.apply(to: &current)
            pending.append(change)
            switch change {
            case .write(let offset, let bytes): blocks?.formUnion(offset / blockSize..<(offset + bytes.count + blockSize - 1) / blockSize)
            case .truncate(let size): blocks = blocks?.filter { $0 * blockSize < size }
            }
        }

        /// How many of `count` bytes at `offset` have a place when `free` blocks are left.
        func room(at offset: Int, count: Int, free: Int) -> Int {
            var free = free
            var end = offset
            while end < offset + count {
                if blocks?.contains(end / blockSize) == false {
                    if free == 0 { break }
                    free -= 1
                }
                end = (end / blockSize + 1) * blockSize
            }
            return min(end - offset, count)
        }
    }

    fileprivate enum Change {
        case write(offset: Int, bytes: [UInt8])
        case truncate(Int)

        func apply(to bytes: inout [UInt8]) {
            switch self {
            case .write(let offset, let new):
                resize(&bytes, to: max(bytes.count, offset + new.count))
                bytes.withUnsafeMutableBytes { UnsafeMutableRawBufferPointer(rebasing: $0[offset...]).copyBytes(from: new) }
            case .truncate(let size):
                resize(&bytes, to: size)
            }
        }

        private func resize(_ bytes: inout [UInt8], to size: Int) {
            if size < bytes.count {
                bytes.removeLast(bytes.count - size)
            } else if size > bytes.count {
                bytes += [UInt8](repeating: 0, count: size - bytes.count)
            }
        }

        /// The change in parts that reach the disk independently.
        var sectors: [Change] {
            guard case .write(let offset, let bytes) = self else { return [self] }
            var parts: [Change] = []
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, ((offset + start) / 512 + 1) * 512 - offset)
                parts.append(.write(offset: offset + start, bytes: Array(bytes[start..<end])))
                start = end
            }
            return parts
        }
    }

    private let lock = Lock()
    private let called = Condition()
    private var names: [String: Node]
    /// The names as the disk has them, and what has become of them since the last sync of the directory, in order.
    private var durableNames: [String: Node]
    private var pendingNames: [[(path: String, node: Node?)]] = []
    private var counts: [Operation: Int] = [:]
    private var calls = 0
    /// Asked before each call, without the lock: it may block.
    private let fault: @Sendable (Call) -> Fault?
    private let capacity: Int?
    private static let blockSize = 512

    package init(
        _ files: [String: [UInt8]] = [:], capacity: Int? = nil, fault: @escaping @Sendable (Call) -> Fault? = { _ in nil }
    ) {
        names = files.mapValues { Node($0, countsBlocks: capacity != nil) }
        durableNames = names
        self.capacity = capacity
        self.fault = fault
    }

    // MARK: For tests

    package var files: [String: [UInt8]] { lock.withLock { names.mapValues(\.current) } }

    package func count(_ operation: Operation) -> Int { lock.withLock { counts[operation] ?? 0 } }

    package var callCount: Int { lock.withLock { calls } }

    /// Has a file take all the space that there is.
    package func fill(_ path: String) throws(StorageError) {
        let file = try open(path, for: .creating)
        let size = capacity ?? 0
        do { try file.writeFully([UInt8](repeating: 1, count: size)[...], at: 0) } catch {
            guard case .ioFailed(_, _, ENOSPC) = error else { throw error }
        }
    }

    package func hasUnsyncedBytes(_ path: String) -> Bool { lock.withLock { names[path]?.pending.isEmpty == false } }

    /// Returns once `operation` was asked for `count` times.
    package func wait(for operation: Operation, count: Int) {
        lock.withLock {
            while (counts[operation] ?? 0) < count { called.wait(lock) }
        }
    }

    /// The files as they are found after the power went, one of the many ways `generator` may choose.
    package func filesAfterPowerLoss(_ generator: inout some RandomNumberGenerator) -> [String: [UInt8]] {
        lock.withLock {
            let survival = [0, 0.1, 0.5, 0.9, 1].randomElement(using: &generator)!
            let changes = (0...pendingNames.count).randomElement(using: &generator)!
            let survivors = names(after: changes)
            var files: [String: [UInt8]] = [:]
            // Sorted, so that a seed means the same in every run.
            for (path, node) in survivors.sorted(by: { $0.key < $1.key }) {
                var bytes = node.durable
                for change in node.pending.flatMap(\.sectors) where Double.random(in: 0..<1, using: &generator) < survival {
                    change.apply(to: &bytes)
                }
                files[path] = bytes
            }
            return files
        }
    }

    /// The names on the disk if the first of the changes since the last sync of the directory had come to it. With the lock held.
    private func names(after changes: Int) -> [String: Node] {
        pendingNames.prefix(changes).joined().reduce(into: durableNames) { names, change in names[change.path] = change.node }
    }

    /// Has the names change together. With the lock held.
    private func change(_ changes: [(path: String, node: Node?)]) {
        for (path, node) in changes { names[path] = node }
        pendingNames.append(changes)
    }

    /// How many of `count` bytes at `offset` have a place. With the lock held.
    fileprivate func room(in node: Node, at offset: Int, count: Int) -> Int {
        guard let capacity else { return count }
        let taken = names.values.reduce(0) { $0 + ($1.blocks?.count ?? 0) }
        return node.room(at: offset, count: count, free: max(capacity / Self.blockSize - taken, 0))
    }

    // MARK: FileSystem

    package func open(_ path: String, for access: FileAccess) throws(StorageError) -> any File {
        try perform(.open, path) { () throws(StorageError) in
            if access == .creating {
                if let node = names[path] {
                    node.make(.truncate(0))
                } else {
                    change([(path, Node([], countsBlocks: capacity != nil))])
                }
            }
            guard let node = names[path] else { throw .ioFailed(operation: "open", path: path, errno: ENOENT) }
            return SimulatedFile(path: path, node: node, system: self)
        }
    }

    package func makeDirectory(_ path: String) throws(StorageError) -> Bool {
        try perform(.makeDirectory, path) {}
        return true
    }

    package func list(_ directory: String) throws(StorageError) -> [String] {
        try perform(.list, directory) {
            names.keys.filter { $0.hasPrefix(directory + "/") }.map { String($0.dropFirst(directory.count + 1)) }
        }
    }

    package func rename(_ source: String, to destination: String) throws(StorageError) {
        try perform(.rename, source) { () throws(StorageError) in
            guard let node = names[source] else { throw .ioFailed(operation: "rename", path: source, errno: ENOENT) }
            change([(source, nil), (destination, node)])
        }
    }

    package func remove(_ path: String) throws(StorageError) {
        try perform(.remove, path) { () throws(StorageError) in
            guard names[path] != nil else { throw .ioFailed(operation: "remove", path: path, errno: ENOENT) }
            change([(path, nil)])
        }
    }

    package func status(of path: String) throws(StorageError) -> FileStatus? {
        try perform(.status, path) { names[path]?.status }
    }

    package func synchronizeDirectory(_ path: String) throws(StorageError) {
        try performTransfer(.synchronizeDirectory, path, partially: { _ in pendingNames = [] }) { _ in
            durableNames = names(after: pendingNames.count)
            pendingNames = []
        }
    }

    package func freeBytes(_ directory: String) throws(StorageError) -> Int {
        lock.withLock {
            guard let capacity else { return .max }
            return capacity - names.values.reduce(0) { $0 + ($1.blocks?.count ?? 0) } * Self.blockSize
        }
    }

    /// Counts the call, fails it if it is to fail, else runs it. The limit of a transfer bounds its bytes.
    fileprivate func perform<Result>(
        _ operation: Operation, _ path: String, _ body: () throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try performTransfer(operation, path) { (_) throws(StorageError) in try body() }
    }

    fileprivate func performTransfer<Result>(
        _ operation: Operation, _ path: String, writesZeros: Bool = false, partially: (Int) -> Void = { _ in },
        _ body: (_ limit: Int) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        let call = lock.withLock {
            calls += 1
            counts[operation, default: 0] += 1
            called.broadcast()
            return Call(operation: operation, path: path, number: calls, numberOfOperation: counts[operation]!, writesZeros: writesZeros)
        }
        let fault = fault(call)
        return try lock.withLock { () throws(StorageError) in
            switch fault {
            case nil: return try body(.max)
            case .short(let count): return try body(count)
            case .fail(let errno): throw .ioFailed(operation: operation.systemCall, path: path, errno: errno)
            case .partial(let count, let errno):
                partially(count)
                throw .ioFailed(operation: operation.systemCall, path: path, errno: errno)
            }
        }
    }
}

/// `@unchecked Sendable`: the node is touched inside `perform` only, which holds the file system's lock.
private final class SimulatedFile: File, @unchecked Sendable {
    let path: String
    private let node: SimulatedFileSystem.Node
    private let system: SimulatedFileSystem

    init(path: String, node: SimulatedFileSystem.Node, system: SimulatedFileSystem) {
        self.path = path
        self.node = node
        self.system = system
    }

    func status() throws(StorageError) -> FileStatus {
        try system.perform(.status, path) { node.status }
    }

    func give(to owner: FileStatus.Owner) throws(StorageError) {
        try system.perform(.give, path) { node.owner = owner }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
        try system.performTransfer(.read, path) { limit in
            let start = min(Int(offset), node.current.count)
            let count = min(buffer.count, node.current.count - start, limit)
            node.current.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<(start + count)])) }
            return count
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int {
        func write(_ limit: Int) -> Int {
            let count = system.room(in: node, at: Int(offset), count: min(bytes.count, limit))
            if count > 0 { node.make(.write(offset: Int(offset), bytes: Array(bytes[..<count]))) }
            return count
        }
        return try system.performTransfer(.write, path, writesZeros: bytes.isZero, partially: { _ = write($0) }) {
            (limit) throws(StorageError) in
            let count = write(limit)
            guard count > 0 || bytes.isEmpty else { throw .ioFailed(operation: "write", path: path, errno: ENOSPC) }
            return count
        }
    }

    func truncate(to size: UInt64) throws(StorageError) {
        try system.perform(.truncate, path) { node.make(.truncate(Int(size))) }
    }

    func synchronizeData() throws(StorageError) { try synchronize(.synchronizeData) }
    func synchronize() throws(StorageError) { try synchronize(.synchronize) }

    private func synchronize(_ operation: SimulatedFileSystem.Operation) throws(StorageError) {
        try system.performTransfer(operation, path, partially: { _ in node.pending = [] }) { _ in
            for change in node.pending { change.apply(to: &node.durable) }
            node.pending = []
        }
    }

    func close() throws(StorageError) { try system.perform(.close, path) {} }
}
