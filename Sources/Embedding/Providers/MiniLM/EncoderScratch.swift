import CEmbeddingKernels
import Glibc

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
final class EncoderScratchPool: Sendable {
    private let shape: BERTShape
    private let tokens: Int
    private let idleLimit: Int
    private let idle = Lock<[Loan]>([])

    /// Sound to hand from thread to thread: it is either in the pool or with one caller.
    private struct Loan: @unchecked Sendable {
        let scratch: EncoderScratch
    }

    init(shape: BERTShape, tokens: Int) {
        self.shape = shape
        self.tokens = tokens
        idleLimit = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    func withScratch<Result, Failure: Error>(_ body: (EncoderScratch) throws(Failure) -> Result) throws(Failure) -> Result {
        let loan = idle.withLock { $0.popLast() } ?? Loan(scratch: EncoderScratch(shape: shape, tokens: tokens))
        defer {
            idle.withLock { if $0.count < idleLimit { $0.append(loan) } }
        }
        return try body(loan.scratch)
    }
}
