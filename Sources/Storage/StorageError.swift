import Glibc

/// What storage can fail with. `category` sorts the cases by what their caller has to do.
package enum StorageError: Error, Equatable {
    /// A file holds something that cannot be what was written. No file was changed. `sequence` is the record that should stand at
    /// `offset`; `recordsAfter` counts the intact records that follow in the same file.
    case damaged(file: String, offset: UInt64, sequence: SequenceNumber, reason: String, recordsAfter: Int)
    /// A snapshot is not what was written. No file was changed.
    case damagedSnapshot(file: String, offset: UInt64, reason: String)
    /// Written by a newer version of the program than this one. No file was changed.
    case unsupportedFormat(file: String, major: UInt16, minor: UInt16)
    /// A record of a type or version its reader does not know; thrown by the reader of records.
    case unsupportedRecord(type: UInt8, version: UInt8)
    /// The bytes of a payload do not say what they should; `offset` counts from the start of the payload.
    case malformedPayload(offset: Int, reason: String)
    /// Another process uses the directory. `pid` is nil when it could not be read.
    case locked(path: String, pid: Int32?)
    /// A call to the operating system failed.
    case ioFailed(operation: String, path: String, errno: Int32)
    /// A write or sync failed so that nobody knows what is on disk: nothing is acknowledged any more until a restart.
    case poisoned(operation: String, path: String, errno: Int32)
    /// No space for the record; it was removed without trace.
    case insufficientSpace(path: String, errno: Int32)
    /// The file system became read-only, as it does when it finds an error in itself. What it took of the record before does not count.
    case readOnly(path: String)
    /// One record larger than the format allows.
    case recordTooLarge(bytes: Int, limit: Int)
    /// More bytes wait to be written than may wait.
    case queueFull(bytes: Int, limit: Int)
    /// The log was closed.
    case closed

    /// What a case means for whoever meets it.
    package enum Category: Sendable {
        /// The data on disk cannot be trusted or read: do not start.
        case dataRefused
        /// The directory belongs to a running process: do not start.
        case inUse
        /// The storage below failed: stop.
        case storageFailed
        /// This request left no trace; a later one may succeed.
        case requestRefused
    }

    package var category: Category {
        switch self {
        case .damaged, .damagedSnapshot, .unsupportedFormat, .unsupportedRecord, .malformedPayload: .dataRefused
        case .locked: .inUse
        case .ioFailed, .poisoned: .storageFailed
        case .insufficientSpace, .readOnly, .recordTooLarge, .queueFull, .closed: .requestRefused
        }
    }
}

extension StorageError {
    /// Whether a sync failed: then nobody knows what of the file, or which names in the directory, is on disk.
    package var isFailedSync: Bool {
        guard case .ioFailed(let operation, _, _) = self else { return false }
        return ["fsync", "fdatasync"].contains(operation)
    }

    /// Whether the process, or the machine, had no descriptor left: what could not be opened is as it was, and may be opened later.
    var isShortOfDescriptors: Bool {
        guard case .ioFailed(_, _, let errno) = self else { return false }
        return [EMFILE, ENFILE].contains(errno)
    }

    /// This error, if it says that there is no room, on the disk, in the quota, or below the limit of a file's size, and of no sync: then
    /// what could not be written is known.
    var asInsufficientSpace: StorageError? {
        guard case .ioFailed(_, let path, let errno) = self, [ENOSPC, EDQUOT, EFBIG].contains(errno), !isFailedSync else { return nil }
        return .insufficientSpace(path: path, errno: errno)
    }

    /// This error, if it says that the file system is read-only by now, and of no sync.
    var asReadOnly: StorageError? {
        guard case .ioFailed(_, let path, EROFS) = self, !isFailedSync else { return nil }
        return .readOnly(path: path)
    }

    /// This error as one that refuses what is being written and nothing else, if it is such a one.
    var asRefusal: StorageError? { asInsufficientSpace ?? asReadOnly }
}

extension StorageError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .damaged(let file, let offset, let sequence, let reason, let recordsAfter):
            "\(file) is damaged at offset \(offset), record \(sequence): \(reason); \(recordsAfter) intact records follow"
        case .damagedSnapshot(let file, let offset, let reason):
            "\(file) is damaged at offset \(offset): \(reason)"
        case .unsupportedFormat(let file, let major, let minor):
            "\(file) has format \(major).\(minor), which is newer than this program reads"
        case .unsupportedRecord(let type, let version):
            "unknown record type \(type), version \(version)"
        case .malformedPayload(let offset, let reason):
            "malformed payload at byte \(offset): \(reason)"
        case .locked(let path, let pid):
            "\(path) is held by \(pid.map { "process \($0)" } ?? "another process")"
        case .ioFailed(let operation, let path, let errno):
            "\(operation) of \(path) failed: \(Self.message(errno))"
        case .poisoned(let operation, let path, let errno):
            "storage stopped after a failed \(operation) of \(path): \(Self.message(errno))"
        case .insufficientSpace(let path, let errno):
            "no space for \(path): \(Self.message(errno))"
        case .readOnly(let path):
            "\(path) is on a file system that is read-only by now"
        case .recordTooLarge(let bytes, let limit):
            "a record of \(bytes) bytes exceeds the limit of \(limit)"
        case .queueFull(let bytes, let limit):
            "\(bytes) bytes wait to be written, the limit is \(limit)"
        case .closed:
            "the log is closed"
        }
    }

    private static func message(_ code: Int32) -> String {
        String(cString: strerror(code)) + " (errno \(code))"
    }
}
