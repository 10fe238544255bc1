import CArchive
import Glibc
package import Storage

extension SnapshotCopy {
    /// Writes the files as a tar archive, in the format pax (POSIX.1-2001), which any tar reads. Memory is that of one piece of a file.
    ///
    /// - Throws: what `put` and reading throw.
    package func writeArchive(to put: (UnsafeRawBufferPointer) throws -> Void) throws {
        try withoutActuallyEscaping(put) { put in
            let writer = TarWriter(put)
            for member in members { try writer.add(member, madeAt: madeAt) }
            try writer.finish()
        }
    }
}

/// An archive as libarchive writes it.
private final class TarWriter {
    private let archive: OpaquePointer
    private let put: (UnsafeRawBufferPointer) throws -> Void
    /// What `put` threw: it does not pass through C.
    private var failure: (any Error)?

    init(_ put: @escaping (UnsafeRawBufferPointer) throws -> Void) {
        archive = archive_write_new()
        self.put = put
        archive_write_set_format_pax_restricted(archive)
        archive_write_set_bytes_per_block(archive, 1 << 20)
        archive_write_set_bytes_in_last_block(archive, 1)
        let opened = archive_write_open(
            archive, Unmanaged.passUnretained(self).toOpaque(), nil,
            { _, context, bytes, count in
                let writer = Unmanaged<TarWriter>.fromOpaque(context!).takeUnretainedValue()
                do {
                    try writer.put(UnsafeRawBufferPointer(start: bytes, count: count))
                    return count
                } catch {
                    writer.failure = error
                    return -1
                }
            }, nil)
        precondition(opened == ARCHIVE_OK, "an archive that is written nowhere yet")
    }

    deinit { archive_write_free(archive) }

    func add(_ member: SnapshotCopy.Member, madeAt: Int64) throws {
        let entry = archive_entry_new()
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname(entry, member.name)
        archive_entry_set_size(entry, Int64(member.size))
        archive_entry_set_filetype(entry, S_IFREG)
        archive_entry_set_perm(entry, 0o600)
        archive_entry_set_mtime(entry, time_t(madeAt / 1000), 0)
        try check(Int(archive_write_header(archive, entry)))
        try member.read { bytes in try check(archive_write_data(archive, bytes.baseAddress, bytes.count)) }
    }

    func finish() throws {
        try check(Int(archive_write_close(archive)))
    }

    private func check(_ result: Int) throws {
        guard result < ARCHIVE_OK else { return }
        throw failure ?? ArchiveError(of: archive)
    }
}
