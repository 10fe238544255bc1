import Storage

@testable import Database

/// What one client saw of one call. Ticks come from one counter, taken before the call and after it.
struct Event: Sendable {
    enum Observation: Sendable {
        case put(DocumentID, SequenceNumber)
        case updated(DocumentID, SequenceNumber)
        case deletedDocument(DocumentID)
        case createdLibrary(LibraryID, SequenceNumber)
        case deletedLibrary(LibraryID)
        case rebuiltIndex(LibraryID)
        case refused(DatabaseError)
        case readDocument(DocumentID, SequenceNumber)
        /// Everything that a search of the library found: chunks and the versions of the documents they are from.
        case found(LibraryID, [ChunkID: SequenceNumber])
        /// The chunks with this word, of documents with this title if one is given; and, if both lists were searched, all that there were.
        case matched(LibraryID, word: String, title: String?, [ChunkID: SequenceNumber], among: [ChunkID: SequenceNumber]?)
        case counted(LibraryID, title: String, MatchCount)
    }

    let started: Int
    let ended: Int
    /// The last sequence that was given out by the time the call ended.
    let upper: SequenceNumber
    let observation: Observation
}

/// The changes in the order of the log, and the state after each of them: the order in which everything must have happened.
///
/// With the order of writes known, a history is linearizable if each call fits between what was acknowledged before it began and what
/// was given out when it ended.
struct History {
    private let mutations: [Mutation]
    /// `states[n]` is the state after n changes.
    private let states: [State]

    private struct State {
        var libraries: Set<LibraryID> = []
        var documents: [DocumentID: Version] = [:]

        struct Version {
            let library: LibraryID
            let sequence: SequenceNumber
            let title: String
            /// Their texts.
            let chunks: [ChunkID: String]
        }

        mutating func apply(_ mutation: Mutation, at sequence: SequenceNumber) {
            switch mutation {
            case .createLibrary(let record): libraries.insert(record.id)
            case .updateLibrary, .rebuildIndex, .beginReembedding, .stageDocument, .finishReembedding, .cancelReembedding: break
            case .deleteLibrary(let id):
                libraries.remove(id)
                documents = documents.filter { $0.value.library != id }
            case .putDocument(let record):
                documents[record.id] = Version(
                    library: record.libraryID, sequence: sequence, title: record.metadata.title,
                    chunks: Dictionary(uniqueKeysWithValues: record.chunks.map { ($0.id, $0.text) }))
            case .updateDocument(let update):
                let old = documents[update.id]!
                let kept = old.chunks.filter { !update.removed.contains($0.key) }
                documents[update.id] = Version(
                    library: update.libraryID, sequence: sequence, title: update.metadata?.title ?? old.title,
                    chunks: kept.merging(update.put.map { ($0.id, $0.text) }) { $1 })
            case .deleteDocument(let id, _, _): documents[id] = nil
            }
        }

        func allows(_ refusal: DatabaseError) -> Bool {
            switch refusal {
            case .libraryNotFound(let id): !libraries.contains(id)
            case .documentNotFound(let id): documents[id] == nil
            case .documentExists(let id): documents[id] != nil
            case .chunkExists(let id): documents.values.contains { $0.chunks[id] != nil }
            // For how long an index is built, no history says.
            case .indexIsChanging(let id): libraries.contains(id)
            default: false
            }
        }

        /// - Parameter word: nil: with any text.
        func chunks(in library: LibraryID, word: String? = nil, title: String? = nil) -> [ChunkID: SequenceNumber] {
            versions(in: library, title: title).reduce(into: [:]) { chunks, document in
                for (id, text) in document.chunks {
                    if let word, !text.split(separator: " ").contains(Substring(word)) { continue }
                    chunks[id] = document.sequence
                }
            }
        }

        func count(in library: LibraryID, title: String) -> MatchCount {
            let versions = versions(in: library, title: title).filter { !$0.chunks.isEmpty }
            return MatchCount(documents: versions.count, chunks: versions.reduce(0) { $0 + $1.chunks.count })
        }

        private func versions(in library: LibraryID, title: String?) -> [Version] {
            documents.values.filter { $0.library == library && $0.title == title ?? $0.title }
        }
    }

    init(_ mutations: [Mutation]) {
        self.mutations = mutations
        var state = State()
        var states = [state]
        for (index, mutation) in mutations.enumerated() {
            state.apply(mutation, at: .number(UInt64(index + 1)))
            states.append(state)
        }
        self.states = states
    }

    /// The events that fit no moment between their start and their end.
    func illegal(_ events: [Event]) -> [Event] {
        let byEnd = events.sorted { $0.ended < $1.ended }
        var acknowledged = 0
        var next = byEnd.startIndex
        var lowers: [Int: Int] = [:]
        var illegal: [Event] = []
        for event in events.sorted(by: { $0.started < $1.started }) {
            while next < byEnd.endIndex, byEnd[next].ended < event.started {
                let earlier = byEnd[next]
                acknowledged = max(acknowledged, change(of: earlier, after: lowers[earlier.started] ?? 0) ?? 0)
                next += 1
            }
            lowers[event.started] = acknowledged
            if !fits(event, after: acknowledged) { illegal.append(event) }
        }
        return illegal
    }

    /// The place in the log of the change that an acknowledged event made; the earliest it can be.
    private func change(of event: Event, after lower: Int) -> Int? {
        func first(_ isIt: (Mutation) -> Bool) -> Int? {
            let upper = min(Int(event.upper.rawValue), mutations.count)
            return lower < upper ? (lower..<upper).first { isIt(mutations[$0]) }.map { $0 + 1 } : nil
        }
        func at(_ sequence: SequenceNumber, _ isIt: (Mutation) -> Bool) -> Int? {
            let place = Int(sequence.rawValue)
            return place > lower && place <= Int(event.upper.rawValue) && isIt(mutations[place - 1]) ? place : nil
        }
        switch event.observation {
        case .put(let id, let sequence):
            return at(sequence) { if case .putDocument(let record) = $0 { record.id == id } else { false } }
        case .updated(let id, let sequence):
            return at(sequence) { if case .updateDocument(let update) = $0 { update.id == id } else { false } }
        case .createdLibrary(let id, let sequence):
            return at(sequence) { if case .createLibrary(let record) = $0 { record.id == id } else { false } }
        case .deletedDocument(let id):
            return first { if case .deleteDocument(id, _, _) = $0 { true } else { false } }
        case .deletedLibrary(let id):
            return first { if case .deleteLibrary(id) = $0 { true } else { false } }
        case .rebuiltIndex(let id):
            return first { if case .rebuildIndex(id, _, _) = $0 { true } else { false } }
        case .refused, .readDocument, .found, .matched, .counted:
            return nil
        }
    }

    private func fits(_ event: Event, after lower: Int) -> Bool {
        let upper = min(Int(event.upper.rawValue), mutations.count)
        guard lower <= upper else { return false }
        let window = states[lower...upper]
        switch event.observation {
        case .put, .updated, .deletedDocument, .createdLibrary, .deletedLibrary, .rebuiltIndex:
            return change(of: event, after: lower) != nil
        case .refused(let error):
            return window.contains { $0.allows(error) }
        case .readDocument(let id, let sequence):
            return window.contains { $0.documents[id]?.sequence == sequence }
        case .found(let library, let chunks):
            return window.contains { $0.libraries.contains(library) && $0.chunks(in: library) == chunks }
        case .matched(let library, let word, let title, let chunks, let all):
            return window.contains { state in
                state.libraries.contains(library) && state.chunks(in: library, word: word, title: title) == chunks
                    && all ?? state.chunks(in: library, title: title) == state.chunks(in: library, title: title)
            }
        case .counted(let library, let title, let count):
            return window.contains { $0.libraries.contains(library) && $0.count(in: library, title: title) == count }
        }
    }
}
