import Locks

/// The life of the log's thread: started at most once, joined at most once, its result kept.
///
/// `@unchecked Sendable`: the thread writes `result` before it ends and others read it after joining it; all else is touched with
/// `lock` held only.
final class Lifecycle: @unchecked Sendable {
    private let lock = Lock()
    private var thread: Thread?
    private var result: Result<Void, StorageError> = .success(())
    private var isFinished = false

    func start(_ body: @escaping @Sendable () throws(StorageError) -> Void) throws(StorageError) {
        try lock.withLock { () throws(StorageError) in
            precondition(thread == nil && !isFinished, "a log is started once")
            do throws(Thread.StartFailed) {
                thread = try Thread("quire-log") { [self] in
                    result = Result { () throws(StorageError) in try body() }
                }
            } catch {
                throw .ioFailed(operation: "pthread_create", path: "quire-log", errno: error.errno)
            }
        }
    }

    /// Waits for the thread, or does its work here if it was never started; then `release`s what it used.
    func finish(
        unstarted body: () throws(StorageError) -> Void, release: () throws(StorageError) -> Void
    ) throws(StorageError) {
        // Held while joining: a second caller has nothing better to do than wait for the first.
        try lock.withLock { () throws(StorageError) in
            if !isFinished {
                if let thread {
                    thread.join()
                } else {
                    result = Result { () throws(StorageError) in try body() }
                }
                let released = Result { () throws(StorageError) in try release() }
                if case .success = result { result = released }
                isFinished = true
            }
            try result.get()
        }
    }
}
