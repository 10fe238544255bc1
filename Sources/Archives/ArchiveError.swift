import CArchive

/// An archive that cannot be written or restored, and why.
package struct ArchiveError: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }

    /// The last failure of a call to libarchive.
    init(of archive: OpaquePointer) {
        let reason = archive_error_string(archive)
        description = if let reason { String(cString: reason) } else { "libarchive gave no reason" }
    }
}
