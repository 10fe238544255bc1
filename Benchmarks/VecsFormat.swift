/// The format of the TEXMEX data sets (`.fvecs`, `.ivecs`): each row is its number of columns, Int32, and then as many numbers of
/// four bytes, little endian.
///
/// http://corpus-texmex.irisa.fr
enum VecsFormat {
    static func layout(of file: MappedFile, element: TableFile.Element) throws(FileProblem) -> TableFile.Layout {
        guard file.bytes.count >= 4 else { throw .unusable(file.path, "ends within the length of its first row") }
        let columns = Int(file.bytes.loadUnaligned(as: Int32.self))
        guard (1...1_000_000).contains(columns) else { throw .unusable(file.path, "\(columns) columns in its first row") }
        let rowStride = 4 + columns * element.size
        guard file.bytes.count % rowStride == 0 else {
            throw .unusable(file.path, "\(file.bytes.count) bytes are not whole rows of \(columns) columns")
        }
        let rows = file.bytes.count / rowStride
        for row in 0..<rows {
            let found = Int(file.bytes.loadUnaligned(fromByteOffset: row * rowStride, as: Int32.self))
            guard found == columns else { throw .unusable(file.path, "row \(row) has \(found) columns, the rows before it \(columns)") }
        }
        return TableFile.Layout(element: element, rows: rows, columns: columns, start: 4, rowStride: rowStride)
    }
}
