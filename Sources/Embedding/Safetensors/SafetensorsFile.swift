/// The tensors of a safetensors file, used where the file is mapped.
///
/// | bytes | what |
/// |---|---|
/// | 0..<8 | n, the length of the header, little-endian |
/// | 8..<8+n | the header: a JSON object, for each tensor its element type, shape, and place in the data |
/// | the rest | the data: every byte belongs to exactly one tensor, elements little-endian, rows first |
///
/// Format: https://github.com/huggingface/safetensors#format. Everything is checked here once, so that reading a tensor
/// afterwards cannot leave the file.
struct SafetensorsFile: Sendable {
    let file: MappedFile
    private let tensors: [String: SafetensorsHeader.Tensor]
    private let dataStart: Int

    init(path: String) throws(EmbeddingError) {
        let file = try MappedFile(path: path)
        let bytes = file.bytes
        func invalid(_ reason: String) -> EmbeddingError { .invalidModelFile(path: path, reason: reason) }
        guard bytes.count >= 8 else { throw invalid("\(bytes.count) bytes are too few for a safetensors file") }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(min(bytes.count - 8, Self.maximumHeaderLength)) else {
            throw invalid("a header of \(length) bytes is not in a file of \(bytes.count) bytes")
        }
        dataStart = 8 + Int(length)
        do {
            let header = try SafetensorsHeader(UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]))
            try header.checkLayout(dataLength: bytes.count - dataStart)
            tensors = header.tensors
        } catch {
            throw invalid(error.reason)
        }
        self.file = file
    }

    /// The format's own limit is 100 MB; the header of a model with tens of thousands of tensors has a few.
    private static let maximumHeaderLength = 16 << 20

    /// The elements of a tensor of single-precision numbers of exactly this shape, valid as long as `file`.
    func float32(_ name: String, shape: [Int]) throws(EmbeddingError) -> UnsafePointer<Float> {
        func invalid(_ reason: String) -> EmbeddingError { .invalidModelFile(path: file.path, reason: "tensor '\(name)' \(reason)") }
        guard let tensor = tensors[name] else { throw invalid("is missing") }
        guard tensor.elementType == "F32" else { throw invalid("has elements of type \(tensor.elementType), not F32") }
        guard tensor.shape == shape else { throw invalid("has shape \(tensor.shape), not \(shape)") }
        let address = file.bytes.baseAddress! + dataStart + tensor.range.lowerBound
        guard UInt(bitPattern: address).isMultiple(of: UInt(MemoryLayout<Float>.alignment)) else {
            throw invalid("is not aligned to its elements")
        }
        return address.assumingMemoryBound(to: Float.self)
    }

    /// The number of rows of a matrix, to find out a size that the file decides.
    func rows(of name: String) throws(EmbeddingError) -> Int {
        guard let tensor = tensors[name], let rows = tensor.shape.first else {
            throw .invalidModelFile(path: file.path, reason: "tensor '\(name)' is missing")
        }
        return rows
    }
}
