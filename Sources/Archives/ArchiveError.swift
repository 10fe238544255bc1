import CArchive

/// An archive that cannot be written or restored, and why.
package struct ArchiveError: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }

    /// The last failure of a call to libarchive.
    init(of archive: OpaquePointer) {
        description = archive_error_string(archive).map { String(cString: $0) } ?? "libarchive gave no reason"
    }
}
