import Glibc
import TestSupport

@testable import Embedding

/// A model with random weights, small enough to compute by hand, in the files and with the names of the real one.
struct TinyModel {
    static let shape = BERTShape(layers: 2, width: 64, innerWidth: 128, positions: 16)
    static let pieces = [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "play", "##ing", "##ed", "##s", "un", "##play", "cafe", ",", ".", "!", "[", "]",
        "cls", "unk",
        "##a", "strasse", "我", "爱", "##able", "ß", "ᄒ", "##ᅡ", "##ᆫ", "\u{1F600}", "#", "ing", "##",
    ]

    var tensors: [String: (shape: [Int], values: [Float])] = [:]
    private var order: [String] = []

    init(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let (width, inner) = (Self.shape.width, Self.shape.innerWidth)
        func add(_ name: String, _ shape: [Int], around center: Float = 0, spread: Float, _ model: inout TinyModel) {
            let values = (0..<shape.reduce(1, *)).map { _ in center + spread * (2 * random.unit() - 1) }
            model.tensors[name] = (shape, values)
            model.order.append(name)
        }
        func addNormalization(_ name: String, _ model: inout TinyModel) {
            add(name + ".weight", [width], around: 1, spread: 0.3, &model)
            add(name + ".bias", [width], spread: 0.2, &model)
        }
        func addLinear(_ name: String, _ inputs: Int, _ outputs: Int, _ model: inout TinyModel) {
            add(name + ".weight", [outputs, inputs], spread: 0.25, &model)
            add(name + ".bias", [outputs], spread: 0.2, &model)
        }
        add("embeddings.word_embeddings.weight", [Self.pieces.count, width], spread: 1, &self)
        add("embeddings.position_embeddings.weight", [Self.shape.positions, width], spread: 0.5, &self)
        add("embeddings.token_type_embeddings.weight", [2, width], spread: 0.5, &self)
        addNormalization("embeddings.LayerNorm", &self)
        for layer in 0..<Self.shape.layers {
            let name = "encoder.layer.\(layer)."
            for part in ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"] {
                addLinear(name + part, width, width, &self)
            }
            addNormalization(name + "attention.output.LayerNorm", &self)
            addLinear(name + "intermediate.dense", width, inner, &self)
            addLinear(name + "output.dense", inner, width, &self)
            addNormalization(name + "output.LayerNorm", &self)
        }
    }

    func write(to directory: TemporaryDirectory, pieces: [String] = Self.pieces) throws {
        try directory.write("vocab.txt", pieces.map { $0 + "\n" }.joined())
        var header: [String] = ["\"__metadata__\": {\"format\": \"pt\"}"]
        var data: [UInt8] = []
        for name in order {
            let (shape, values) = tensors[name]!
            let start = data.count
            for value in values { data.append(contentsOf: littleEndian(value.bitPattern)) }
            header.append("\"\(name)\": {\"dtype\": \"F32\", \"shape\": \(shape), \"data_offsets\": [\(start), \(data.count)]}")
        }
        // Padded so that the numbers lie on multiples of 8, as writers of the format do.
        let text = "{" + header.joined(separator: ", ") + "}"
        let padding = String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
        try directory.write("model.safetensors", safetensors(text + padding, data: data))
    }

    /// The vector of a text, by the definition, in double precision.
    func vector(of ids: [UInt32]) -> [Double] {
        let width = Self.shape.width
        var x = ids.enumerated().map { position, id in
            (0..<width).map { column in
                self["embeddings.word_embeddings.weight", Int(id) * width + column]
                    + self["embeddings.position_embeddings.weight", position * width + column]
                    + self["embeddings.token_type_embeddings.weight", column]
            }
        }
        x = normalize(x, "embeddings.LayerNorm")
        for layer in 0..<Self.shape.layers {
            let name = "encoder.layer.\(layer)."
            let q = linear(x, name + "attention.self.query")
            let k = linear(x, name + "attention.self.key")
            let v = linear(x, name + "attention.self.value")
            let attended = linear(attention(q, k, v), name + "attention.output.dense")
            x = normalize(sum(x, attended), name + "attention.output.LayerNorm")
            let inner = linear(x, name + "intermediate.dense").map { $0.map { $0 * 0.5 * (1 + erf($0 / 2.0.squareRoot())) } }
            x = normalize(sum(x, linear(inner, name + "output.dense")), name + "output.LayerNorm")
        }
        let mean = (0..<width).map { column in x.map { $0[column] }.reduce(0, +) / Double(x.count) }
        let length = mean.map { $0 * $0 }.reduce(0, +).squareRoot()
        return mean.map { $0 / length }
    }

    private subscript(name: String, index: Int) -> Double { Double(tensors[name]!.values[index]) }

    private func linear(_ x: [[Double]], _ name: String) -> [[Double]] {
        let (shape, w) = tensors[name + ".weight"]!
        return x.map { row in
            (0..<shape[0]).map { output in
                zip(row, w[output * shape[1]..<(output + 1) * shape[1]]).reduce(self[name + ".bias", output]) { $0 + $1.0 * Double($1.1) }
            }
        }
    }

    private func normalize(_ x: [[Double]], _ name: String) -> [[Double]] {
        x.map { row in
            let mean = row.reduce(0, +) / Double(row.count)
            let variance = row.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(row.count)
            return row.enumerated().map {
                ($1 - mean) / (variance + 1e-12).squareRoot() * self[name + ".weight", $0] + self[name + ".bias", $0]
            }
        }
    }

    private func sum(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] {
        zip(a, b).map { zip($0, $1).map(+) }
    }
}

/// Attention by its definition, heads of 32 elements.
func attention(_ q: [[Double]], _ k: [[Double]], _ v: [[Double]]) -> [[Double]] {
    q.map { query in
        var mixed = [Double](repeating: 0, count: query.count)
        for head in stride(from: 0, to: query.count, by: 32) {
            let columns = head..<head + 32
            let weights = k.map { key in exp(columns.map { query[$0] * key[$0] }.reduce(0, +) / 32.0.squareRoot()) }
            let total = weights.reduce(0, +)
            for (weight, value) in zip(weights, v) {
                for column in columns { mixed[column] += weight / total * value[column] }
            }
        }
        return mixed
    }
}

/// A safetensors file of this header and data.
func safetensors(_ header: String, data: [UInt8]) -> [UInt8] {
    littleEndian(UInt64(header.utf8.count)) + Array(header.utf8) + data
}

/// The bytes of a number, lowest first.
func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

extension SplitMix {
    /// Evenly in 0..<1.
    mutating func unit() -> Float { Float(next() >> 40) * 0x1p-24 }
}

func cosine(_ a: some Sequence<Double>, _ b: some Sequence<Double>) -> Double {
    let (a, b) = (Array(a), Array(b))
    precondition(a.count == b.count)
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).map(*).reduce(0, +) }
    return dot(a, b) / (dot(a, a) * dot(b, b)).squareRoot()
}
