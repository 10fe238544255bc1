import CEmbeddingKernels

/// A matrix and a bias, in the memory of the encoder that owns the layer.
struct LinearLayer {
    /// In the order that the kernels read.
    enum Weights {
        /// That of `embedding_pack_f32`, for the instruction set it was packed for and no other.
        case float32(UnsafePointer<Float>)
        /// That of `embedding_pack_bf16`.
        case bfloat16(UnsafePointer<UInt16>)
    }

    enum Activation {
        case identity, gelu
    }

    let inputs: Int
    let outputs: Int
    let weights: Weights
    let bias: UnsafePointer<Float>

    /// y = activation(x · weightsᵀ + bias) for `rows` rows. `scratch` has `EMBEDDING_SLAB * inputs` elements.
    func callAsFunction(
        _ x: UnsafePointer<Float>, rows: Int, activation: Activation = .identity, into y: UnsafeMutablePointer<Float>,
        using instructionSet: InstructionSet, scratch: UnsafeMutablePointer<UInt16>
    ) {
        let activation = Int32(activation == .gelu ? EMBEDDING_GELU : EMBEDDING_IDENTITY)
        switch weights {
        case .float32(let weights):
            embedding_linear_f32(instructionSet.rawValue, x, rows, weights, bias, inputs, outputs, activation, y)
        case .bfloat16(let weights):
            embedding_linear_bf16(x, rows, weights, bias, inputs, outputs, activation, y, scratch)
        }
    }
}
