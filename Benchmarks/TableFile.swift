/// A table of numbers in a file, read row by row: NumPy's `.npy`, or `.fvecs` and `.ivecs`.
final class TableFile {
    enum Element {
        case float16, float32, int32, int64

        var size: Int {
            switch self {
            case .float16: 2
            case .float32, .int32: 4
            case .int64: 8
            }
        }

        var isInteger: Bool { self == .int32 || self == .int64 }
    }

    /// Where the numbers of a table are: row r begins `start` + r · `rowStride` bytes into the file.
    struct Layout {
        let element: Element
        let rows: Int
        let columns: Int
        let start: Int
        let rowStride: Int
    }

    private let file: MappedFile
    private let layout: Layout

    /// Reads what the end of the path says: `.npy`, `.fvecs` or `.ivecs`.
    init(path: String) throws(FileProblem) {
        file = try MappedFile(path: path)
        let ending = path.split(separator: ".").last ?? ""
        switch ending {
        case "npy": layout = try NumPyFormat.layout(of: file)
        case "fvecs": layout = try VecsFormat.layout(of: file, element: .float32)
        case "ivecs": layout = try VecsFormat.layout(of: file, element: .int32)
        default: throw .unusable(path, "the name ends in none of .npy, .fvecs and .ivecs")
        }
    }

    /// The first of these names with one of these endings that is there.
    static func find(_ name: String, in directory: String, endings: [String]) throws(FileProblem) -> TableFile {
        for ending in endings {
            do {
                return try TableFile(path: "\(directory)/\(name).\(ending)")
            } catch .missing {
                continue
            }
        }
        throw .missing("\(directory)/\(name).{\(endings.joined(separator: ","))}")
    }

    var path: String { file.path }
    var rows: Int { layout.rows }
    var columns: Int { layout.columns }
    var isInteger: Bool { layout.element.isInteger }

    /// A row of a table of floats.
    func floats(_ row: Int) -> [Float] {
        precondition(row < rows, "a row of the table")
        return offsets(row).map { offset in
            switch layout.element {
            case .float16: Float(file.bytes.loadUnaligned(fromByteOffset: offset, as: Float16.self))
            case .float32: file.bytes.loadUnaligned(fromByteOffset: offset, as: Float.self)
            case .int32, .int64: preconditionFailure("the table has floats")
            }
        }
    }

    /// A row of a table of whole numbers.
    func integers(_ row: Int) -> [Int] {
        precondition(row < rows, "a row of the table")
        return offsets(row).map { offset in
            switch layout.element {
            case .int32: Int(file.bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
            case .int64: Int(file.bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self))
            case .float16, .float32: preconditionFailure("the table has whole numbers")
            }
        }
    }

    private func offsets(_ row: Int) -> some Sequence<Int> {
        let start = layout.start + row * layout.rowStride
        return stride(from: start, to: start + columns * layout.element.size, by: layout.element.size)
    }
}
