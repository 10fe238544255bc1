import Archives
import ArgumentParser
import Database

/// `quire restore`: a data directory from an archive of a snapshot.
struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make a data directory of the archive of a snapshot.",
        discussion: """
            GET /v1/admin/snapshots/{name}/archive gives the archive. All of it is checked, and the database opened once, before this \
            says that it is there; if anything is wrong, nothing is left in the directory.
            """)

    @Argument(help: "The archive: a tar file, also compressed.")
    var archive: String

    @Argument(help: "The data directory to make: an empty one, or one that does not exist.")
    var directory: String

    func run() throws {
        let summary = try Archives.restore(archive, into: directory) {
            let database = try Database(directory: directory, builderThreads: 0)
            defer { withExtendedLifetime(database) {} }
            let summary = Self.summary(of: database)
            try database.close()
            return summary
        }
        standardOutput.write("restored to \(directory): \(summary)\n")
    }

    private static func summary(of database: Database) -> String {
        var (libraries, documents, chunks) = (0, 0, 0)
        var page = database.libraries(after: nil, limit: 1000)
        while true {
            libraries += page.elements.count
            documents += page.elements.reduce(0) { $0 + $1.documentCount }
            chunks += page.elements.reduce(0) { $0 + $1.chunkCount }
            guard let next = page.next else { return "libraries \(libraries), documents \(documents), chunks \(chunks)" }
            page = database.libraries(after: next, limit: 1000)
        }
    }
}
