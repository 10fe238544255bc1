import Locks

/// How something ends that threads wait for: a batch's way to the disk, a segment's end.
///
/// `@unchecked Sendable`: `result` is guarded by the lock of the `LogQueue` it belongs to.
final class Settlement: @unchecked Sendable {
    /// nil until decided.
    var result: Result<Void, StorageError>?
    /// Signalled once `result` is there.
    let decided = Condition()
}
