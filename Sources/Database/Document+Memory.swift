import Storage

/// What a document takes in memory, reckoned from its parts, so that it is the same for the same document. Cost: a look at every chunk.
extension Document {
    /// Bytes of the object, of its chunks without their texts, and of all fields.
    var sizeInBytes: Int {
        chunks.reduce(Self.objectBytes + headerBytes + metadata.heapBytes) { bytes, chunk in
            bytes + MemoryLayout<Chunk>.stride + chunk.custom.heapBytes
        }
    }

    /// Bytes of the texts of its chunks.
    var textBytes: Int { chunks.reduce(0) { $0 + $1.text.heapBytes } }

    private static let objectBytes =
        2 * MemoryLayout<DocumentID>.stride + MemoryLayout<DocumentMetadata>.stride + 2 * MemoryLayout<Timestamp>.stride
        + 2 * MemoryLayout<SequenceNumber>.stride + headerBytes
}

/// Before the elements of an array, the bytes of a string, the properties of an object: what Swift keeps of each.
private let headerBytes = 32

extension DocumentMetadata {
    fileprivate var heapBytes: Int {
        let strings = [title, author ?? "", documentType, sourceURL ?? ""].reduce(0) { $0 + $1.heapBytes }
        return strings + tags.heapBytes + custom.heapBytes
    }
}

extension CustomFields {
    fileprivate var heapBytes: Int {
        guard !isEmpty else { return 0 }
        return fields.reduce(headerBytes) { bytes, field in
            bytes + MemoryLayout<Field>.stride + field.name.heapBytes + field.value.heapBytes
        }
    }
}

extension CustomFields.Value {
    fileprivate var heapBytes: Int {
        switch self {
        case .null, .bool, .number: 0
        case .string(let text): text.heapBytes
        case .numbers(let numbers): numbers.isEmpty ? 0 : headerBytes + numbers.count * MemoryLayout<Double>.stride
        case .strings(let texts): texts.heapBytes
        }
    }
}

extension [String] {
    fileprivate var heapBytes: Int {
        isEmpty ? 0 : reduce(headerBytes) { $0 + MemoryLayout<String>.stride + $1.heapBytes }
    }
}

extension String {
    /// None for up to 15 bytes, which lie in the string itself.
    fileprivate var heapBytes: Int {
        let count = utf8.count
        return count <= 15 ? 0 : (headerBytes + count + 1 + 15) & ~15
    }
}
