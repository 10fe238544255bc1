/// NumPy's file format, versions 1.0 and 2.0:
///
///     0   "\x93NUMPY", major version, minor version
///     8   length of the header, UInt16 in version 1, UInt32 in version 2
///     ..  header: a Python dictionary with 'descr' ('<f2', '<f4', '<i4' or '<i8'), 'fortran_order' (False) and
///         'shape' ((rows, columns))
///     ..  the rows, little endian
///
/// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
enum NumPyFormat {
    private static let signature: [UInt8] = [0x93] + Array("NUMPY".utf8)
    private static let elements: [(String, TableFile.Element)] = [
        ("<f2", .float16), ("<f4", .float32), ("<i4", .int32), ("<i8", .int64),
    ]

    static func layout(of file: MappedFile) throws(FileProblem) -> TableFile.Layout {
        let (header, start) = try header(of: file)
        guard let type = value(of: "descr", in: header), let order = value(of: "fortran_order", in: header),
            let shape = value(of: "shape", in: header)
        else { throw .unusable(file.path, "its header lacks one of 'descr', 'fortran_order' and 'shape': \(header)") }
        guard let element = elements.first(where: { type.contains("'\($0.0)'") })?.1 else {
            throw .unusable(file.path, "numbers of type \(type); '<f2', '<f4', '<i4' and '<i8' can be read")
        }
        guard order == "False" else { throw .unusable(file.path, "the table is stored by columns (fortran_order)") }
        let sizes = shape.split { !$0.isNumber }.compactMap { Int($0) }
        guard sizes.count == 2, sizes[0] > 0, sizes[1] > 0 else {
            throw .unusable(file.path, "a table of shape \(shape), not (rows, columns)")
        }
        let (size, overflow) = sizes[0].multipliedReportingOverflow(by: sizes[1] * element.size)
        guard !overflow, start + size == file.bytes.count else {
            throw .unusable(file.path, "\(file.bytes.count - start) bytes of numbers, where shape \(shape) takes \(size)")
        }
        return TableFile.Layout(
            element: element, rows: sizes[0], columns: sizes[1], start: start, rowStride: sizes[1] * element.size)
    }

    /// The header, and where it ends.
    private static func header(of file: MappedFile) throws(FileProblem) -> (String, Int) {
        let bytes = file.bytes
        guard bytes.starts(with: signature), bytes.count >= 12 else { throw .unusable(file.path, "not a NumPy file") }
        let start: Int
        let length: Int
        switch bytes[6] {
        case 1: (start, length) = (10, Int(bytes[8]) + Int(bytes[9]) << 8)
        case 2: (start, length) = (12, (8..<12).reversed().reduce(0) { $0 << 8 + Int(bytes[$1]) })
        default: throw .unusable(file.path, "a NumPy file of version \(bytes[6]).\(bytes[7]); 1.0 and 2.0 can be read")
        }
        guard start + length <= bytes.count else { throw .unusable(file.path, "ends within its header") }
        return (String(decoding: bytes[start..<start + length], as: UTF8.self), start + length)
    }

    /// What the dictionary has for a key: up to the comma that follows, or the closing parenthesis of a tuple.
    private static func value(of key: String, in header: String) -> Substring? {
        guard let found = header.firstRange(of: "'\(key)':") else { return nil }
        let rest = header[found.upperBound...].drop { $0 == " " }
        return rest.first == "(" ? rest.prefix { $0 != ")" } + ")" : rest.prefix { $0 != "," && $0 != "}" }
    }
}
