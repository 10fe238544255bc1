import CEmbeddingKernels
import Glibc

/// The weights of a BERT encoder: tables and vectors in the mapped file, matrices in a block of their own (42 MB for
/// all-MiniLM-L6-v2, half of that rounded), because in the order of the file they are read several times slower.
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
    private let packed: PackedMatrices

    /// With matrices for the kernels of `instructionSet`, which the CPU must have.
    init(path: String, shape: BERTShape, instructionSet: InstructionSet) throws(EmbeddingError) {
        let file = try SafetensorsFile(path: path)
        let width = shape.width
        vocabularyCount = try file.rows(of: "embeddings.word_embeddings.weight")
        words = try file.float32("embeddings.word_embeddings.weight", shape: [vocabularyCount, width])
        positions = try file.float32("embeddings.position_embeddings.weight", shape: [shape.positions, width])
        // Two types of segment; every token of a single text is of type 0, the first row.
        type = try file.float32("embeddings.token_type_embeddings.weight", shape: [2, width])
        let packed = PackedMatrices(elements: shape.matrixElements, for: instructionSet)

        func normalization(_ name: String) throws(EmbeddingError) -> Normalization {
            Normalization(
                scale: try file.float32(name + ".weight", shape: [width]), shift: try file.float32(name + ".bias", shape: [width]))
        }
        func linear(_ name: String, _ inputs: Int, _ outputs: Int) throws(EmbeddingError) -> LinearLayer {
            let matrix = try file.float32(name + ".weight", shape: [outputs, inputs])
            let bias = try file.float32(name + ".bias", shape: [outputs])
            let weights = packed.pack(matrix, inputs: inputs, outputs: outputs)
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
        // What was read to be packed is not read again.
        file.file.releasePages()
        self.file = file
    }
}

/// The block the matrices are in, filled from its start.
private final class PackedMatrices {
    private let instructionSet: InstructionSet
    private let block: UnsafeMutableRawPointer
    private let capacity: Int
    private var count = 0

    init(elements: Int, for instructionSet: InstructionSet) {
        self.instructionSet = instructionSet
        capacity = elements
        // Whole huge pages where the system gives them: one fault instead of 512, and room in the TLB.
        let hugePage = 2 << 20
        let size = (elements * Self.elementBytes(instructionSet) + hugePage - 1) / hugePage * hugePage
        block = .allocate(byteCount: size, alignment: hugePage)
        madvise(block, size, MADV_HUGEPAGE)
    }

    deinit {
        block.deallocate()
    }

    func pack(_ matrix: UnsafePointer<Float>, inputs: Int, outputs: Int) -> LinearLayer.Weights {
        precondition(count + inputs * outputs <= capacity, "the block was made for all matrices")
        let start = block + count * Self.elementBytes(instructionSet)
        count += inputs * outputs
        guard instructionSet == .avx512bf16 else {
            let packed = start.bindMemory(to: Float.self, capacity: inputs * outputs)
            embedding_pack_f32(instructionSet.rawValue, matrix, inputs, outputs, packed)
            return .float32(packed)
        }
        let packed = start.bindMemory(to: UInt16.self, capacity: inputs * outputs)
        embedding_pack_bf16(matrix, inputs, outputs, packed)
        return .bfloat16(packed)
    }

    private static func elementBytes(_ instructionSet: InstructionSet) -> Int {
        instructionSet == .avx512bf16 ? MemoryLayout<UInt16>.stride : MemoryLayout<Float>.stride
    }
}
