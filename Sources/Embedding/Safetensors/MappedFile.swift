import Glibc

/// The bytes of a file, mapped for reading: they are the page cache's memory, not this process's, and shared between processes.
///
/// Sound to share between threads because the mapping is read-only and stays as long as the object. A file that is shortened
/// in place while mapped ends the process when its missing part is read, so model files are only ever replaced by renaming.
final class MappedFile: @unchecked Sendable {
    let path: String
    let bytes: UnsafeRawBufferPointer

    init(path: String) throws(EmbeddingError) {
        self.path = path
        func failure(_ action: String) -> EmbeddingError {
            .unreadableFile(path: path, reason: "\(action): \(String(cString: strerror(errno)))")
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("cannot open") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("cannot examine") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .unreadableFile(path: path, reason: "not a regular file") }
        guard status.st_size > 0 else { throw .invalidModelFile(path: path, reason: "the file is empty") }
        guard let address = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw failure("cannot map")
        }
        bytes = UnsafeRawBufferPointer(start: address, count: Int(status.st_size))
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count)
    }

    /// Lets go of the pages read so far; those read again come back from the page cache.
    func releasePages() {
        madvise(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count, MADV_DONTNEED)
    }
}
