import CEmbeddingKernels
import Glibc

/// The weights of a BERT encoder: in the mapped file, and with `bfloat16` the matrices also in a block of their own.
///
/// Sound to share between threads because nothing is written after `init`. The pointers are good while this object lives.
final class BERTWeights: @unchecked Sendable {
    struct Normalization {
        let scale: UnsafePointer<Float>
        let shift: UnsafePointer<Float>
    }

    struct Layer {
        let query, key, value, output: LinearLayer
        let attentionNormalization: Normalization
        let inner, outer: LinearLayer
        let normalization: Normalization
    }

    let shape: BERTShape
    let vocabularyCount: Int
    let words, positions, type: UnsafePointer<Float>
    let normalization: Normalization
    let layers: [Layer]

    private let file: SafetensorsFile
    private let packed: PackedMatrices?

    /// `isRounded`: matrices as bfloat16, for which the CPU must have the instructions.
    init(path: String, shape: BERTShape, isRounded: Bool) throws(EmbeddingError) {
        let file = try SafetensorsFile(path: path)
        let width = shape.width
        vocabularyCount = try file.rows(of: "embeddings.word_embeddings.weight")
        words = try file.float32("embeddings.word_embeddings.weight", shape: [vocabularyCount, width])
        positions = try file.float32("embeddings.position_embeddings.weight", shape: [shape.positions, width])
        // Two types of segment; every token of a single text is of type 0, the first row.
        type = try file.float32("embeddings.token_type_embeddings.weight", shape: [2, width])
        let packed = isRounded ? PackedMatrices(elements: shape.layers * (4 * width * width + 2 * width * shape.innerWidth)) : nil

        func normalization(_ name: String) throws(EmbeddingError) -> Normalization {
            Normalization(
                scale: try file.float32(name + ".weight", shape: [width]), shift: try file.float32(name + ".bias", shape: [width]))
        }
        func linear(_ name: String, _ inputs: Int, _ outputs: Int) throws(EmbeddingError) -> LinearLayer {
            let matrix = try file.float32(name + ".weight", shape: [outputs, inputs])
            let bias = try file.float32(name + ".bias", shape: [outputs])
            let weights = packed.map { .bfloat16($0.pack(matrix, inputs: inputs, outputs: outputs)) } ?? LinearLayer.Weights.float32(matrix)
            return LinearLayer(inputs: inputs, outputs: outputs, weights: weights, bias: bias)
        }
        var layers: [Layer] = []
        for number in 0..<shape.layers {
            let name = "encoder.layer.\(number)."
            layers.append(
                Layer(
                    query: try linear(name + "attention.self.query", width, width),
                    key: try linear(name + "attention.self.key", width, width),
                    value: try linear(name + "attention.self.value", width, width),
                    output: try linear(name + "attention.output.dense", width, width),
                    attentionNormalization: try normalization(name + "attention.output.LayerNorm"),
                    inner: try linear(name + "intermediate.dense", width, shape.innerWidth),
                    outer: try linear(name + "output.dense", shape.innerWidth, width),
                    normalization: try normalization(name + "output.LayerNorm")))
        }
        self.normalization = try normalization("embeddings.LayerNorm")
        self.layers = layers
        self.shape = shape
        self.packed = packed
        // What was read to be rounded is not read again.
        if isRounded { file.file.releasePages() }
        self.file = file
    }
}

/// The block the rounded matrices are in, filled from its start.
private final class PackedMatrices {
    private let block: UnsafeMutablePointer<UInt16>
    private let capacity: Int
    private var count = 0

    init(elements: Int) {
        capacity = elements
        // Whole huge pages where the system gives them: one fault instead of 512, and room in the TLB.
        let hugePage = 2 << 20
        let size = (elements * MemoryLayout<UInt16>.stride + hugePage - 1) / hugePage * hugePage
        let raw = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: hugePage)
        madvise(raw, size, MADV_HUGEPAGE)
        block = raw.bindMemory(to: UInt16.self, capacity: elements)
    }

    deinit {
        UnsafeMutableRawPointer(block).deallocate()
    }

    func pack(_ matrix: UnsafePointer<Float>, inputs: Int, outputs: Int) -> UnsafePointer<UInt16> {
        precondition(count + inputs * outputs <= capacity, "the block was made for all matrices")
        defer { count += inputs * outputs }
        embedding_pack_bf16(matrix, inputs, outputs, block + count)
        return UnsafePointer(block + count)
    }
}
