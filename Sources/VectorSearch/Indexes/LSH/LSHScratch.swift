import Locks

/// What a search needs besides the index; lent to one at a time.
final class LSHScratch {
    var order = BucketOrder()
    private var wordBuffer = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: 0)
    private var marginBuffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: 0)

    deinit {
        wordBuffer.deallocate()
        marginBuffer.deallocate()
    }

    func words(count: Int, _ word: (Int) -> UInt64) -> UnsafeMutableBufferPointer<UInt64> {
        if wordBuffer.count < count {
            wordBuffer.deallocate()
            wordBuffer = .allocate(capacity: count * 3 / 2)
        }
        for index in 0..<count { wordBuffer.initializeElement(at: index, to: word(index)) }
        return UnsafeMutableBufferPointer(rebasing: wordBuffer[..<count])
    }

    func margins(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
        if marginBuffer.count < count {
            marginBuffer.deallocate()
            marginBuffer = .allocate(capacity: count)
        }
        return UnsafeMutableBufferPointer(rebasing: marginBuffer[..<count])
    }
}

/// Lends scratch to as many searches as come, and keeps what they give back.
///
/// Sound to share: `idle` is only touched with `lock` held, and a scratch is either there or with one search.
final class LSHScratchPool {
    private let lock = Lock()
    private var idle: [LSHScratch] = []

    func withScratch<Result>(_ body: (LSHScratch) -> Result) -> Result {
        let scratch = lock.withLock { idle.popLast() } ?? LSHScratch()
        defer { lock.withLock { idle.append(scratch) } }
        return body(scratch)
    }
}
