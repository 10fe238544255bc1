import CEmbeddingKernels
import Glibc
import TestSupport
import Testing

@testable import Embedding

/// Every instruction set this CPU has, against the definition in double precision.
@Suite("Kernels") struct KernelTests {
    @Test("plain C always runs, and the best set is one that runs")
    func supported() {
        #expect(InstructionSet.supported.first == .portable)
        #expect(InstructionSet.best.isSupported)
        #expect(!embedding_supports(-1) && !embedding_supports(99))
    }

    @Test("a linear layer is a matrix product, for every number of rows", arguments: InstructionSet.supported)
    func linear(set: InstructionSet) {
        for (rows, inputs, outputs) in [
            (1, 64, 64), (2, 128, 64), (3, 64, 192), (4, 192, 64), (5, 64, 64), (6, 64, 128), (7, 64, 64), (13, 64, 64), (99, 64, 64),
        ] {
            for activation in [LinearLayer.Activation.identity, .gelu] {
                var random = SplitMix(seed: UInt64(rows))
                // Factors of 8 bits, which bfloat16 keeps: every set multiplies the same numbers.
                let x = random.values(rows * inputs).map(\.roundedToBFloat16)
                let w = random.values(outputs * inputs).map(\.roundedToBFloat16)
                let bias = random.values(outputs)

                let y = run(set, x, rows, w, bias, inputs, outputs, activation)

                var worst = 0.0
                for i in 0..<rows {
                    for n in 0..<outputs {
                        var sum = Double(bias[n])
                        for k in 0..<inputs { sum += Double(x[i * inputs + k]) * Double(w[n * inputs + k]) }
                        if activation == .gelu { sum *= 0.5 * (1 + erf(sum / 2.0.squareRoot())) }
                        worst = max(worst, abs(sum - Double(y[i * outputs + n])))
                    }
                }
                #expect(worst < 2e-5, "\(set), \(rows) rows of \(inputs) to \(outputs), \(activation)")
            }
        }
    }

    private func run(
        _ set: InstructionSet, _ x: [Float], _ rows: Int, _ w: [Float], _ bias: [Float], _ inputs: Int, _ outputs: Int,
        _ activation: LinearLayer.Activation
    ) -> [Float] {
        var y = [Float](repeating: .nan, count: rows * outputs)
        let packed = UnsafeMutableRawPointer.allocate(byteCount: 4 * w.count, alignment: 64)
        let scratchCount = Int(EMBEDDING_SLAB) * inputs
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: 2 * scratchCount, alignment: 64).bindMemory(
            to: UInt16.self, capacity: scratchCount)
        defer {
            packed.deallocate()
            scratch.deallocate()
        }
        let weights: LinearLayer.Weights
        if set == .avx512bf16 {
            let rounded = packed.bindMemory(to: UInt16.self, capacity: w.count)
            embedding_pack_bf16(w, inputs, outputs, rounded)
            weights = .bfloat16(rounded)
        } else {
            let whole = packed.bindMemory(to: Float.self, capacity: w.count)
            embedding_pack_f32(set.rawValue, w, inputs, outputs, whole)
            weights = .float32(whole)
        }
        bias.withUnsafeBufferPointer { bias in
            let layer = LinearLayer(inputs: inputs, outputs: outputs, weights: weights, bias: bias.baseAddress!)
            layer(x, rows: rows, activation: activation, into: &y, using: set, scratch: scratch)
        }
        return y
    }

    @Test("a row of a linear layer is the same to the last bit, whatever rows are beside it", arguments: InstructionSet.supported)
    func rowsAlone(set: InstructionSet) {
        var random = SplitMix(seed: 8)
        let (rows, inputs, outputs) = (23, 192, 128)
        let x = random.values(rows * inputs)
        let w = random.values(outputs * inputs)
        let bias = random.values(outputs)

        let together = run(set, x, rows, w, bias, inputs, outputs, .gelu)

        for count in 1...7 {
            for start in [0, 5, rows - count] {
                let few = run(set, Array(x[start * inputs..<(start + count) * inputs]), count, w, bias, inputs, outputs, .gelu)
                #expect(few == Array(together[start * outputs..<(start + count) * outputs]), "\(set), \(count) rows from \(start)")
            }
        }
    }

    @Test("bfloat16 rounds to the nearest, to even in the middle", .enabled(if: InstructionSet.avx512bf16.isSupported))
    func roundsToBFloat16() {
        // One output for each factor, from an input of 1.
        let factors: [Float] = [1, 1 + 0x1p-9, 1 + 0x1p-8, 1 + 0x1.1p-8, 1 + 3 * 0x1p-8, -1 - 0x1p-8, 0x1.fffp0, 3e-5]
        let rounded: [Float] = [1, 1, 1, 1 + 0x1p-7, 1 + 0x1p-6, -1, 2, 0x1.f8p-16]
        var w = [Float](repeating: 0, count: 64 * 64)
        var x = [Float](repeating: 0, count: 64)
        for (n, factor) in factors.enumerated() { w[n * 64 + 5] = factor }
        x[5] = 1

        let fromWeights = run(.avx512bf16, x, 1, w, [Float](repeating: 0, count: 64), 64, 64, .identity)
        #expect(Array(fromWeights.prefix(factors.count)) == rounded)

        for (n, factor) in factors.enumerated() {
            x[5] = factor
            #expect(run(.avx512bf16, x, 1, w, [Float](repeating: 0, count: 64), 64, 64, .identity)[0] == rounded[n])
        }
    }

    @Test("GELU is x times the normal distribution, from end to end", arguments: InstructionSet.supported)
    func gelu(set: InstructionSet) {
        let bias = (0..<64 * 32).map { Float($0 - 1024) / 64 }  // -16 to 16

        let y = run(set, [Float](repeating: 0, count: 64), 1, [Float](repeating: 0, count: 64 * bias.count), bias, 64, bias.count, .gelu)

        for (x, y) in zip(bias, y) {
            let exact = Double(x) * 0.5 * (1 + erf(Double(x) / 2.0.squareRoot()))
            #expect(abs(exact - Double(y)) < 5e-6, "\(set) at \(x)")
        }
    }

    @Test("attention is softmax of scaled products, for every length", arguments: InstructionSet.supported)
    func attends(set: InstructionSet) {
        for rows in [1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 33, 50] {
            let (heads, width) = (2, 64)
            var random = SplitMix(seed: UInt64(rows))
            // Scores far apart, so that softmax has something to do.
            let q = random.values(rows * width).map { $0 * 8 }
            let k = random.values(rows * width)
            let v = random.values(rows * width)
            var out = [Float](repeating: .nan, count: rows * width)
            var scratch = [Float](repeating: .nan, count: embedding_attention_scratch(rows))

            embedding_attention(set.rawValue, q, k, v, rows, heads, &out, &scratch)

            func matrix(_ x: [Float]) -> [[Double]] { (0..<rows).map { x[$0 * width..<($0 + 1) * width].map(Double.init) } }
            let expected = attention(matrix(q), matrix(k), matrix(v)).joined()
            #expect(zip(expected, out).allSatisfy { abs($0 - Double($1)) < 1e-5 }, "\(set), \(rows) rows")
        }
    }

    @Test("attention stays finite when scores are huge", arguments: InstructionSet.supported)
    func attendsToHugeScores(set: InstructionSet) {
        let q = [Float](repeating: 1e4, count: 3 * 32)
        let k = (0..<3 * 32).map { $0 < 32 ? Float(1e4) : -1e4 }
        let v = (0..<3 * 32).map { Float($0 / 32) }
        var out = [Float](repeating: .nan, count: 3 * 32)
        var scratch = [Float](repeating: .nan, count: embedding_attention_scratch(3))

        embedding_attention(set.rawValue, q, k, v, 3, 1, &out, &scratch)

        #expect(out.allSatisfy { abs($0) < 1e-6 }, "the first key has all the weight")
    }

    @Test("a normalised row has mean 0 and variance 1 before scale and shift", arguments: InstructionSet.supported)
    func normalizes(set: InstructionSet) {
        var random = SplitMix(seed: 5)
        let (rows, width) = (3, 128)
        let x = random.values(rows * width)
        let residual = random.values(rows * width)
        let scale = random.values(width)
        let shift = random.values(width)
        var alone = x
        var added = x

        embedding_layer_norm(set.rawValue, &alone, nil, rows, width, scale, shift, 1e-12)
        embedding_layer_norm(set.rawValue, &added, residual, rows, width, scale, shift, 1e-12)

        for (input, output) in [(x, alone), (zip(x, residual).map(+), added)] {
            for row in 0..<rows {
                let values = input[row * width..<(row + 1) * width].map(Double.init)
                let mean = values.reduce(0, +) / Double(width)
                let deviation = (values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(width)).squareRoot()
                for column in 0..<width {
                    let expected = (values[column] - mean) / deviation * Double(scale[column]) + Double(shift[column])
                    #expect(abs(expected - Double(output[row * width + column])) < 1e-5)
                }
            }
        }
    }

    @Test("looking up adds word, position and type", arguments: InstructionSet.supported)
    func looksUp(set: InstructionSet) {
        var random = SplitMix(seed: 6)
        let words = random.values(5 * 64)
        let positions = random.values(3 * 64)
        let type = random.values(64)
        var x = [Float](repeating: .nan, count: 3 * 64)

        embedding_look_up(set.rawValue, [4, 0, 4], 3, 64, words, positions, type, &x)

        for (row, id) in [4, 0, 4].enumerated() {
            for column in 0..<64 {
                #expect(abs(x[row * 64 + column] - (words[id * 64 + column] + positions[row * 64 + column] + type[column])) < 1e-6)
            }
        }
    }

    @Test("pooling gives a mean of length 1, or says that it has none", arguments: InstructionSet.supported)
    func pools(set: InstructionSet) {
        var random = SplitMix(seed: 7)
        let x = random.values(3 * 64)
        var out = [Float](repeating: .nan, count: 64)

        #expect(embedding_mean_pool(set.rawValue, x, 3, 64, &out))

        let mean = (0..<64).map { Double(x[$0]) + Double(x[64 + $0]) + Double(x[128 + $0]) }
        #expect(cosine(mean, out.map(Double.init)) > 0.999999)
        #expect(abs(out.map { $0 * $0 }.reduce(0, +) - 1) < 1e-5)
        for useless in [0, Float.nan, .infinity] {
            #expect(!embedding_mean_pool(set.rawValue, [Float](repeating: useless, count: 64), 1, 64, &out))
        }
    }
}

extension SplitMix {
    /// Evenly in -1..<1.
    mutating func values(_ count: Int) -> [Float] {
        (0..<count).map { _ in 2 * unit() - 1 }
    }
}

extension Float {
    /// The same with the lower half of its bits 0.
    var roundedToBFloat16: Float { Float(bitPattern: bitPattern & 0xFFFF_0000) }
}
