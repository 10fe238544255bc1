import Locks

/// A line of a stream as it was read.
struct StreamedLine: Sendable {
    let number: Int
    let sizeInBytes: Int
    /// What it says, or what is wrong with it.
    let document: Result<NewDocument, APIError>
}

/// Lines on their way from the thread that reads them to the one that adds them: not many at a time, however many there are.
// Sound as Sendable: what changes is read and written under `lock`.
final class LineQueue: @unchecked Sendable {
    /// So many lines or bytes are added together at most. More would not be faster, and whoever else waits for the model would wait
    /// longer.
    static let maxLines = 128
    static let maxBytes = 512 << 10

    private let lock = Lock()
    private let changed = Condition()
    private var lines: [StreamedLine] = []
    private var sizeInBytes = 0
    private var hasEnded = false
    private var failure: (any Error)?

    /// Appends a line, after waiting for room. False when no line will be taken any more.
    func put(_ line: StreamedLine) -> Bool {
        lock.withLock {
            while failure == nil, lines.count >= Self.maxLines || sizeInBytes >= Self.maxBytes { changed.wait(lock) }
            guard failure == nil else { return false }
            lines.append(line)
            sizeInBytes += line.sizeInBytes
            changed.signal()
            return true
        }
    }

    /// Says that no more lines will come.
    func end() {
        lock.withLock {
            hasEnded = true
            changed.signal()
        }
    }

    /// All lines that have come meanwhile, after waiting for one; `nil` at the end.
    func takeAll() -> [StreamedLine]? {
        lock.withLock {
            while lines.isEmpty, !hasEnded { changed.wait(lock) }
            guard !lines.isEmpty else { return nil }
            defer {
                lines = []
                sizeInBytes = 0
                changed.signal()
            }
            return lines
        }
    }

    /// Says that no line can be added any more.
    func fail(_ error: any Error) {
        lock.withLock {
            failure = error
            changed.signal()
        }
    }

    /// - Throws: what `fail` was told.
    func checkFailure() throws {
        if let failure = lock.withLock({ failure }) { throw failure }
    }
}
