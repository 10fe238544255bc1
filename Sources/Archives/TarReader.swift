import CArchive
import Glibc
import Storage

/// A tar archive as libarchive reads it, from front to back.
final class TarReader {
    struct Member {
        let name: String
        /// No directory, no link, no device.
        let isPlainFile: Bool
    }

    private let path: String
    private let archive: OpaquePointer

    init(_ path: String) throws {
        self.path = path
        archive = archive_read_new()
        archive_read_support_filter_all(archive)
        archive_read_support_format_tar(archive)
        guard archive_read_open_filename(archive, path, 1 << 20) == ARCHIVE_OK else { throw failure }
    }

    deinit { archive_read_free(archive) }

    /// The next file of the archive; nil behind the last.
    func next() throws -> Member? {
        var entry: OpaquePointer?
        switch archive_read_next_header(archive, &entry) {
        case ARCHIVE_EOF: return nil
        case ARCHIVE_OK: break
        default: throw failure
        }
        let isLink = archive_entry_hardlink(entry) != nil || archive_entry_symlink(entry) != nil
        let name = archive_entry_pathname(entry).map { String(cString: $0) } ?? ""
        return Member(name: name, isPlainFile: archive_entry_filetype(entry) == S_IFREG && !isLink)
    }

    /// Writes the content of the file that `next` returned.
    ///
    /// - Throws: `ioFailed` with `EBADMSG` for an archive that ends or is damaged within it, and what the file throws.
    func copy(to file: any File) throws(StorageError) {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset: UInt64 = 0
        var count = try read(into: &buffer)
        while count > 0 {
            try file.writeFully(buffer[..<count], at: offset)
            offset += UInt64(count)
            count = try read(into: &buffer)
        }
    }

    private func read(into buffer: inout [UInt8]) throws(StorageError) -> Int {
        let count = archive_read_data(archive, &buffer, buffer.count)
        guard count >= 0 else { throw .ioFailed(operation: "read", path: path, errno: EBADMSG) }
        return count
    }

    private var failure: ArchiveError { ArchiveError("\(path): \(ArchiveError(of: archive))") }
}
