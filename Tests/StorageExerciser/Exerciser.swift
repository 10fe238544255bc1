import Database
import Storage

/// Opens the database in a directory, which is what a start does, and closes it again.
@main struct Exerciser {
    static func main() throws {
        let database = try Database(directory: CommandLine.arguments[1], durability: .always, storageFailed: { _ in })
        print("opened \(database.lastSequence)")
        try database.close()
    }
}
