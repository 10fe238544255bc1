import CEmbeddingKernels
import Glibc
import Locks

/// The buffers of one run of an encoder: 4 MB for 256 tokens of all-MiniLM-L6-v2, whatever the number of texts.
///
/// Not shared: `EncoderScratchPool` lends each to one caller at a time.
final class EncoderScratch {
    let x, query, key, value, mixed, inner, attention: UnsafeMutablePointer<Float>
    let rounded: UnsafeMutablePointer<UInt16>
    private let block: UnsafeMutableRawPointer

    init(shape: BERTShape, tokens: Int) {
        let narrow = tokens * shape.width
        let wide = tokens * shape.innerWidth
        let roundedCount = Int(EMBEDDING_SLAB) * max(shape.width, shape.innerWidth)
        let floats = 5 * narrow + wide + roundedCount / 2 + embedding_attention_scratch(tokens)
        block = .allocate(byteCount: floats * MemoryLayout<Float>.stride, alignment: 64)
        // Each size is a multiple of 16 floats, so every buffer begins on a cache line.
        let start = block.bindMemory(to: Float.self, capacity: floats)
        x = start
        query = x + narrow
        key = query + narrow
        value = key + narrow
        mixed = value + narrow
        inner = mixed + narrow
        attention = inner + wide
        rounded = UnsafeMutableRawPointer(attention + embedding_attention_scratch(tokens))
            .bindMemory(to: UInt16.self, capacity: roundedCount)
    }

    deinit {
        block.deallocate()
    }
}

/// Lends scratch to as many callers as come, and keeps as many idle as there are CPUs to use them.
///
/// Sound to share: `idle` is only touched with `lock` held, and a scratch is either there or with one caller.
final class EncoderScratchPool: @unchecked Sendable {
    private let shape: BERTShape
    private let tokens: Int
    private let idleLimit = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    private let lock = Lock()
    private var idle: [EncoderScratch] = []

    init(shape: BERTShape, tokens: Int) {
        self.shape = shape
        self.tokens = tokens
    }

    func withScratch<Result, Failure: Error>(_ body: (EncoderScratch) throws(Failure) -> Result) throws(Failure) -> Result {
        let scratch = lock.withLock { idle.popLast() } ?? EncoderScratch(shape: shape, tokens: tokens)
        defer {
            lock.withLock {
                if idle.count < idleLimit { idle.append(scratch) }
            }
        }
        return try body(scratch)
    }
}
