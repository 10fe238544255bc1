import Locks
import TextSearch

/// The texts of documents being indexed on a thread of their own, so that a start that reads vectors meanwhile is hardly longer for it.
// Sound as Sendable: the thread alone uses the index until it has ended, and `finish` waits for that.
final class TextIndexing: @unchecked Sendable {
    private let documents: [Document]
    private let index: TextIndex
    private var thread: Thread?

    init(_ documents: [Document], _ options: TextOptions) {
        self.documents = documents
        index = TextIndex(options)
        thread = try? Thread("text-index") { [documents, index = Handed(index)] in Self.fill(index.index, with: documents) }
        // Without a thread it is done by whoever asks for it.
        if thread == nil { Self.fill(index, with: documents) }
    }

    deinit { thread?.join() }

    func finish() -> TextIndex {
        thread?.join()
        thread = nil
        return index
    }

    private static func fill(_ index: TextIndex, with documents: [Document]) {
        for document in documents {
            for chunk in document.chunks { index.insert(chunk.text, at: chunk.slot.rawValue) }
        }
    }

    // Sound: handed from one thread to the other.
    private struct Handed: @unchecked Sendable {
        let index: TextIndex

        init(_ index: TextIndex) { self.index = index }
    }
}
