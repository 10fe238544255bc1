/// The header of a safetensors file: `{"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}`, and optionally
/// an object of strings named `__metadata__`, which is read over.
struct SafetensorsHeader {
    struct Tensor: Equatable {
        let elementType: String
        let shape: [Int]
        /// Bytes, counted from the end of the header.
        let range: Range<Int>
    }

    struct Invalid: Error {
        let reason: String
    }

    private(set) var tensors: [String: Tensor] = [:]

    /// Reads exactly this grammar and refuses everything else; no nesting, so no recursion.
    init(_ bytes: UnsafeRawBufferPointer) throws(Invalid) {
        var scanner = SafetensorsScanner(bytes)
        var hasMetadata = false
        try scanner.object { (scanner, name) throws(Invalid) in
            if name == "__metadata__" {
                guard !hasMetadata else { throw Invalid(reason: "the header names '\(name)' twice") }
                hasMetadata = true
                try scanner.object { (scanner, _) throws(Invalid) in _ = try scanner.string() }
            } else {
                guard tensors.updateValue(try Self.tensor(name, &scanner), forKey: name) == nil else {
                    throw Invalid(reason: "the header names '\(name)' twice")
                }
            }
        }
        try scanner.end()
    }

    private static func tensor(_ name: String, _ scanner: inout SafetensorsScanner) throws(Invalid) -> Tensor {
        var elementType: String?
        var shape: [Int]?
        var offsets: [Int]?
        try scanner.object { (scanner, key) throws(Invalid) in
            switch key {
            case "dtype" where elementType == nil: elementType = try scanner.string()
            case "shape" where shape == nil: shape = try scanner.integers()
            case "data_offsets" where offsets == nil: offsets = try scanner.integers()
            default: throw Invalid(reason: "tensor '\(name)' has an unexpected field '\(key)'")
            }
        }
        guard let elementType, let shape, let offsets else { throw Invalid(reason: "tensor '\(name)' lacks a field") }
        guard let size = elementSizes[elementType] else {
            throw Invalid(reason: "tensor '\(name)' has elements of unknown type '\(elementType)'")
        }
        guard offsets.count == 2, offsets[0] <= offsets[1] else { throw Invalid(reason: "tensor '\(name)' is not in a range of bytes") }
        var length = size
        for extent in shape {
            let (product, overflow) = length.multipliedReportingOverflow(by: extent)
            guard !overflow else { throw Invalid(reason: "tensor '\(name)' has an impossible shape \(shape)") }
            length = product
        }
        guard offsets[1] - offsets[0] == length else {
            throw Invalid(reason: "tensor '\(name)' has \(offsets[1] - offsets[0]) bytes, its shape needs \(length)")
        }
        return Tensor(elementType: elementType, shape: shape, range: offsets[0]..<offsets[1])
    }

    private static let elementSizes = [
        "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4,
        "F32": 4, "F64": 8, "I64": 8, "U64": 8,
    ]

    /// Every byte of the data is in one tensor: a file that was cut, or has something behind it, is refused.
    func checkLayout(dataLength: Int) throws(Invalid) {
        var end = 0
        for (name, tensor) in tensors.sorted(by: {
            ($0.value.range.lowerBound, $0.value.range.upperBound) < ($1.value.range.lowerBound, $1.value.range.upperBound)
        }) {
            guard tensor.range.lowerBound == end else { throw Invalid(reason: "tensor '\(name)' does not begin where the one before ends") }
            end = tensor.range.upperBound
        }
        guard end == dataLength else { throw Invalid(reason: "the tensors have \(end) bytes, the file has \(dataLength)") }
    }
}
