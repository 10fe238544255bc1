import Database

@testable import StorageExerciser

/// Knows the state after each operation of a script from a model that is nothing but arrays, and tells whether a database is in one
/// that a client may find.
///
/// It proves that nothing acknowledged is lost, that what was in flight is there whole or not at all, and that nothing is there which
/// was never sent: the state has to be that after the first n operations, for an n from the acknowledged ones to the sent ones.
struct Judge: Sendable {
    private let script: [ScriptOperation]
    private let states: [String]

    init(_ script: [ScriptOperation]) {
        self.script = script
        var contents = DatabaseContents()
        states =
            [contents.description]
            + script.map { operation in
                contents.apply(operation)
                return contents.description
            }
    }

    var lastState: String { states[states.count - 1] }

    /// The number of operations that may have made a state, of those that `run` allows; nil: there is none.
    func operationCount(of state: String, after run: Run) -> Int? {
        guard run.acknowledgedCount <= run.sentCount else { return nil }
        return (run.acknowledgedCount...run.sentCount).first { states[$0] == state }
    }

    /// What is wrong with the state that was found after a run; nil: nothing.
    func flaw(of state: String, after run: Run) -> String? {
        // A snapshot that is there already is no change, and may be named whatever failed since.
        if let number = run.acknowledgedAfterFailure.first(where: { script[$0].isChange }) {
            return "operation \(number) was acknowledged after another one had failed"
        }
        if operationCount(of: state, after: run) != nil { return nil }
        let expected = "\(run.acknowledgedCount) operations were acknowledged and \(run.sentCount) sent"
        if let count = states.firstIndex(of: state) { return "\(expected); the state is that after \(count)" }
        return "\(expected); the state is of no such history:\n\(state)\nand not\n\(states[run.acknowledgedCount])"
    }

    /// What is wrong with a start after `run` whose first step was to show what is there.
    func flaw(of start: Run, after run: Run) -> String? {
        guard start.status == 0, let shown = start.shown.first else { return "the start ended with \(start.status): \(start.errors)" }
        return flaw(of: shown.contents, after: run)
    }
}

/// The model.
extension DatabaseContents {
    mutating func apply(_ operation: ScriptOperation) {
        if operation.isChange { sequence += 1 }
        switch operation {
        case .createLibrary(let name, _): libraries.append(Library(name: name))
        case .describeLibrary(let name, let description): change(name) { $0.summary = description }
        case .deleteLibrary(let name): libraries.removeAll { $0.name == name }
        case .put(let document, let name): change(name) { $0.put(Document(document)) }
        case .delete(let number):
            for index in libraries.indices { libraries[index].documents.removeAll { $0.id == TestDocument.id(number) } }
        case .takeSnapshot: break
        }
        for index in libraries.indices { libraries[index].count() }
    }

    private mutating func change(_ name: String, _ change: (inout Library) -> Void) {
        change(&libraries[libraries.firstIndex { $0.name == name }!])
    }
}

extension DatabaseContents.Library {
    fileprivate mutating func put(_ document: DatabaseContents.Document) {
        if let place = documents.firstIndex(where: { $0.id == document.id }) {
            documents[place] = document
        } else {
            documents.append(document)
        }
    }

    fileprivate mutating func count() {
        documentCount = documents.count
        chunkCount = documents.reduce(0) { $0 + $1.chunks.count }
        // No two chunks of a script share a vector.
        vectorCount = chunkCount
    }
}

extension DatabaseContents.Document {
    fileprivate init(_ document: TestDocument) {
        self.init(
            id: document.id, title: document.title,
            chunks: document.chunks.map {
                DatabaseContents.Chunk(
                    id: $0.id, text: $0.text, page: $0.pageNumber, vector: $0.embedding.map(\.bitPattern), isFound: true)
            })
    }
}
