import Locks
import TextSearch

/// The index of the texts of documents being decoded, or made, on a thread of its own, so that a start that reads vectors meanwhile is
/// hardly longer for it.
final class TextIndexing {
    struct Result {
        let index: TextIndex
        /// The bytes were not those of an index of these texts.
        let isRebuilt: Bool
    }

    private let work: Work
    private var thread: Thread?

    /// - Parameters:
    ///   - documents: whose chunks have the slots from 0 on, in their order.
    ///   - bytes: what the index has written; empty: there is nothing; nil: they are damaged.
    init(_ documents: [Document], _ options: TextOptions, _ bytes: [UInt8]?) {
        let work = Work(documents, options, bytes)
        self.work = work
        thread = try? Thread("text-index") { work.result = work.run() }
    }

    deinit { thread?.join() }

    func finish() -> Result {
        thread?.join()
        thread = nil
        // Without a thread it is done by whoever asks for it.
        return work.result ?? work.run()
    }

    // Sound as Sendable: the thread alone uses `result` until it has ended, and `finish` waits for that.
    private final class Work: @unchecked Sendable {
        private let documents: [Document]
        private let options: TextOptions
        private let bytes: [UInt8]?
        var result: Result?

        init(_ documents: [Document], _ options: TextOptions, _ bytes: [UInt8]?) {
            self.documents = documents
            self.options = options
            self.bytes = bytes
        }

        func run() -> Result {
            guard let bytes, !bytes.isEmpty else { return Result(index: makeIndex(), isRebuilt: bytes == nil) }
            let chunkCount = documents.reduce(0) { $0 + $1.chunks.count }
            guard let index = try? TextIndex(decoding: bytes, options: options), index.slots == SlotSet(0..<UInt32(chunkCount)) else {
                return Result(index: makeIndex(), isRebuilt: true)
            }
            return Result(index: index, isRebuilt: false)
        }

        private func makeIndex() -> TextIndex {
            let index = TextIndex(options)
            for document in documents {
                for chunk in document.chunks { index.insert(chunk.text, at: chunk.slot.rawValue) }
            }
            return index
        }
    }
}
