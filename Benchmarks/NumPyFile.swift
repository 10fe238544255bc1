import Glibc

/// A table of float16 or float32 in NumPy's file format 1.0, read row by row.
///
///     0   "\x93NUMPY" 1 0
///     8   length of the header, UInt16
///     10  header: a Python dictionary with 'descr' ('<f2' or '<f4'), 'fortran_order' (False) and 'shape' ((rows, columns))
///     ..  the rows, little endian
///
/// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
final class NumPyFile {
    enum Problem: Error, CustomStringConvertible {
        case missing(String)
        case unusable(String, String)

        var description: String {
            switch self {
            case .missing(let path): "\(path): no such file"
            case .unusable(let path, let reason): "\(path): \(reason)"
            }
        }
    }

    let rows: Int
    let columns: Int
    private let isHalf: Bool
    private let start: Int
    /// The whole file, mapped; it is only read, and unmapped when this object goes.
    private let bytes: UnsafeRawBufferPointer

    init(path: String) throws(Problem) {
        bytes = try Self.map(path)
        start = bytes.count < 10 ? bytes.count : min(10 + Int(bytes[8]) + Int(bytes[9]) << 8, bytes.count)
        let header = bytes[min(10, start)..<start]
        let text = String(decoding: header, as: UTF8.self)
        let shape = text.drop { $0 != "(" }.prefix { $0 != ")" }.split { !$0.isNumber }.compactMap { Int($0) }
        isHalf = text.contains("'<f2'")
        (rows, columns) = shape.count == 2 ? (shape[0], shape[1]) : (0, 0)

        // From here on every property has its value, so the file is unmapped by `deinit` if it is refused.
        guard bytes.starts(with: Self.signature) else { throw .unusable(path, "not a NumPy file of version 1.0") }
        guard isHalf || text.contains("'<f4'"), text.contains("'fortran_order': False"), columns > 0,
            start + rows * columns * (isHalf ? 2 : 4) == bytes.count
        else { throw .unusable(path, "not a whole table of little-endian float16 or float32") }
    }

    private static let signature: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count)
    }

    func row(_ row: Int) -> [Float] {
        precondition(row < rows, "a row of the table")
        return (row * columns..<(row + 1) * columns).map { index in
            isHalf
                ? Float(bytes.loadUnaligned(fromByteOffset: start + index * 2, as: Float16.self))
                : bytes.loadUnaligned(fromByteOffset: start + index * 4, as: Float.self)
        }
    }

    private static func map(_ path: String) throws(Problem) -> UnsafeRawBufferPointer {
        let file = open(path, O_RDONLY)
        guard file >= 0 else {
            throw errno == ENOENT ? .missing(path) : .unusable(path, String(cString: strerror(errno)))
        }
        defer { close(file) }
        let size = Int(lseek(file, 0, SEEK_END))
        let memory = mmap(nil, size, PROT_READ, MAP_PRIVATE, file, 0)
        guard memory != MAP_FAILED else { throw .unusable(path, String(cString: strerror(errno))) }
        return UnsafeRawBufferPointer(start: memory, count: size)
    }
}
