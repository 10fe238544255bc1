import Glibc

/// Why a file of vectors cannot be used.
enum FileProblem: Error, CustomStringConvertible {
    case missing(String)
    case unusable(String, String)

    var description: String {
        switch self {
        case .missing(let path): "\(path): no such file"
        case .unusable(let path, let reason): "\(path): \(reason)"
        }
    }
}

/// The bytes of a whole file, mapped for reading until this object goes.
final class MappedFile {
    let path: String
    let bytes: UnsafeRawBufferPointer

    init(path: String) throws(FileProblem) {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { throw errno == ENOENT ? .missing(path) : .unusable(path, String(cString: strerror(errno))) }
        defer { close(file) }
        let size = Int(lseek(file, 0, SEEK_END))
        guard size > 0 else { throw .unusable(path, "the file is empty, or cannot be read at any place") }
        let memory = mmap(nil, size, PROT_READ, MAP_PRIVATE, file, 0)
        guard memory != MAP_FAILED else { throw .unusable(path, String(cString: strerror(errno))) }
        self.path = path
        bytes = UnsafeRawBufferPointer(start: memory, count: size)
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count)
    }
}

/// The lines of a file of text, of which there is at least one.
func textLines(of path: String) throws -> [String] {
    let file = try MappedFile(path: path)
    let lines = file.bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    guard !lines.isEmpty else { throw FileProblem.unusable(path, "no lines") }
    return lines
}
