import Database
import Glibc
import Locks
import Storage
import VectorSearch

/// Makes operations and says before each call `sent`, after it `acknowledged` or `failed`, each with the operation's place in the
/// script. Goes on after a failure: what is refused then must leave no trace.
struct Client {
    private let database: Database
    var acknowledgesEarly = false

    init(_ database: Database) {
        self.database = database
    }

    func run(_ script: [ScriptOperation]) {
        for (number, operation) in script.enumerated().dropFirst(madeCount(of: script)) { make(operation, number) }
    }

    /// Makes operations on threads of their own while the sync of the first is held, by a fault of CFaultInjection, so that the log
    /// writes the others at once.
    func runInOneBatch(_ script: ArraySlice<ScriptOperation>) {
        guard let faults = getenv("QUIRE_FAULTS") else { preconditionFailure("a fault holds the sync") }
        let held = String(cString: faults) + ".held"
        let threads = zip(script.indices, script).map { number, operation in
            let last = database.lastSequence
            let thread = start { make(operation, number) }
            while database.lastSequence == last { sched_yield() }
            while number == script.startIndex, access(held, F_OK) != 0 { sched_yield() }
            return thread
        }
        unlink(held)
        for thread in threads { thread.join() }
    }

    private func start(_ body: @escaping @Sendable () -> Void) -> Thread {
        do {
            return try Thread("client", body)
        } catch {
            preconditionFailure("there is room for a thread: \(error)")
        }
    }

    /// How many of the operations were made before: up to the last change that the database has seen.
    private func madeCount(of script: [ScriptOperation]) -> Int {
        var changes = Int(database.lastSequence.rawValue)
        return script.firstIndex { operation in
            guard changes > 0 else { return true }
            if operation.isChange { changes -= 1 }
            return false
        } ?? script.count
    }

    private func make(_ operation: ScriptOperation, _ number: Int) {
        say("sent \(number)")
        if acknowledgesEarly { say("acknowledged \(number)") }
        do {
            try make(operation)
            if !acknowledgesEarly { say("acknowledged \(number)") }
        } catch {
            say("failed \(number) \(error)")
        }
    }

    private func make(_ operation: ScriptOperation) throws(DatabaseError) {
        switch operation {
        case .createLibrary(let name, let kind):
            _ = try database.createLibrary(
                name: name, description: nil, metric: .l2, dimension: 4, model: LibraryRecord.externalModel,
                index: IndexConfiguration(kind))
        case .describeLibrary(let name, let description):
            _ = try database.updateLibrary(try library(name), LibraryChange(description: description))
        case .deleteLibrary(let name):
            try database.deleteLibrary(try library(name))
        case .put(let document, let name):
            _ = try database.putDocument(
                id: document.id, in: try library(name), metadata: DocumentMetadata(title: document.title), chunks: document.chunks,
                onConflict: .replace)
        case .delete(let number):
            try database.deleteDocument(TestDocument.id(number))
        case .takeSnapshot:
            for view in libraries { try database.waitUntilIndexed(view.record.id) }
            _ = try database.takeSnapshot()
        }
    }

    private var libraries: [LibraryView] { database.libraries(after: nil, limit: 1000).elements }

    private func library(_ name: String) throws(DatabaseError) -> LibraryID {
        // After a failure the script goes on without what it could not create.
        guard let view = libraries.first(where: { $0.record.name == name }) else { throw .libraryNotFound(.random()) }
        return view.record.id
    }
}
