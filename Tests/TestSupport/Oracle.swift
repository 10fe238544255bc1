/// Knows what clients were told about their documents, and says where a Quire contradicts it.
///
/// It proves that nothing acknowledged is lost, nothing deleted comes back, nothing is there by half and nothing was made up, and that
/// counts and index agree with the documents. Its tests plant each of these faults and see it reported.
///
/// For each document it knows what may be found. A change that was acknowledged leaves one possibility; one whose outcome nobody knows
/// leaves both what was before and what would be after it, whole. A document is changed by one client at a time.
package final class Oracle: Sendable {
    /// A document as it was sent; its chunks have no vector in common with any other.
    package struct Document: Hashable, Sendable {
        package struct Chunk: Hashable, Sendable {
            package var id: String
            package var text: String
            package var vector: [Float]
        }

        package var id: String
        package var title: String
        package var chunks: [Chunk]
    }

    /// What a client knows about its change.
    package enum Outcome: Sendable {
        case acknowledged
        /// Nothing was changed.
        case refused
        /// The answer never came: it was made, or not.
        case unknown
    }

    package enum Violation: Hashable, Sendable {
        /// Acknowledged, and not there.
        case lost(document: String)
        /// There, although it was deleted.
        case resurrected(document: String)
        /// There, although nobody sent it.
        case madeUp(document: String)
        /// There with other contents than were sent: half of them, or another vector.
        case altered(document: String)
        /// Listed and not there, or there and not listed, or listed twice.
        case listedWrongly(document: String)
        case miscounted(documents: Int, chunks: Int, insteadOf: Int, Int)
        /// An exact search for its own vector does not find it first.
        case notFound(chunk: String)
        /// A search found a chunk that is not what was sent, or whose document was deleted before.
        case foundWrongly(chunk: String)
    }

    private struct State {
        /// What may be found under each id that was ever sent; nil is nothing.
        var possible: [String: Set<Document?>] = [:]
        /// Since when a document is known to be deleted.
        var deletedAt: [String: ContinuousClock.Instant] = [:]
        /// Where chunks belong.
        var documents: [String: Document] = [:]
        var changedSinceCheck: Set<String> = []
        var acknowledgements = 0
        var unknowns = 0
        var certain = 0
    }

    private let state = Shared(State())

    package init() {}

    /// How many changes were acknowledged; never fewer than before.
    package var acknowledgements: Int { state.update { $0.acknowledgements } }
    /// How many changes had an unknown outcome.
    package var unknowns: Int { state.update { $0.unknowns } }
    /// The ids of all documents that were changed since the last check.
    package var changedSinceCheck: Set<String> { state.update { $0.changedSinceCheck } }
    /// The ids of all documents that were ever sent.
    package var allDocuments: Set<String> { state.update { Set($0.possible.keys) } }

    // MARK: What clients do

    /// Sends a new document, or one in place of another with its id.
    @discardableResult
    package func put(_ document: Document, _ send: () throws -> Outcome) rethrows -> Outcome {
        try put([document]) { [try send()] }[0]
    }

    /// Sends documents in one request, each for itself; `send` returns an outcome for each of them.
    @discardableResult
    package func put(_ documents: [Document], _ send: () throws -> [Outcome]) rethrows -> [Outcome] {
        let changes = documents.map { document in
            state.update { state in
                for chunk in document.chunks { state.documents[chunk.id] = document }
            }
            return begin(document.id, to: document)
        }
        let outcomes = try send()
        precondition(outcomes.count == documents.count, "each document has an outcome")
        for (change, outcome) in zip(changes, outcomes) { end(change, outcome) }
        return outcomes
    }

    @discardableResult
    package func delete(_ id: String, _ send: () throws -> Outcome) rethrows -> Outcome {
        let change = begin(id, to: nil)
        let outcome = try send()
        end(change, outcome)
        if outcome == .acknowledged { state.update { $0.deletedAt[id] = .now } }
        return outcome
    }

    /// A change on its way, and what may have been found before it.
    private struct Change {
        var id: String
        var new: Document?
        var before: Set<Document?>
    }

    private func begin(_ id: String, to new: Document?) -> Change {
        state.update { state in
            let before = state.possible[id] ?? [nil]
            state.possible[id] = before.union([new])
            state.changedSinceCheck.insert(id)
            return Change(id: id, new: new, before: before)
        }
    }

    private func end(_ change: Change, _ outcome: Outcome) {
        state.update { state in
            switch outcome {
            case .acknowledged:
                state.possible[change.id] = [change.new]
                state.acknowledgements += 1
            case .refused: state.possible[change.id] = change.before
            case .unknown: state.unknowns += 1
            }
        }
    }

    // MARK: What is checked

    /// What is wrong with chunks that a search found which began at `start`, by id and text. Right at any time, also beside changes.
    package func violations(inSearch found: [(chunk: String, text: String)], since start: ContinuousClock.Instant) -> [Violation] {
        state.update { state in
            found.compactMap { chunk, text in
                guard let document = state.documents[chunk], document.chunks.contains(where: { $0.id == chunk && $0.text == text }),
                    state.deletedAt[document.id].map({ $0 > start }) ?? true
                else { return .foundWrongly(chunk: chunk) }
                return nil
            }
        }
    }

    /// What is wrong with the contents of a Quire while nobody changes it. All that was changed since the last check was asked for. What
    /// was unknown is known from then on: what is there has to stay there.
    package func violations(in contents: Contents) -> [Violation] {
        state.update { state in
            let violations = Self.violations(in: contents, state.possible)
            for id in contents.asked { state.possible[id] = [contents.documents[id]] }
            state.changedSinceCheck = []
            return violations
        }
    }

    private static func violations(in contents: Contents, _ possible: [String: Set<Document?>]) -> [Violation] {
        var violations: [Violation] = []
        let listed = Set(contents.listed)
        for id in contents.asked.union(listed) {
            guard let possible = possible[id] else {
                violations.append(.madeUp(document: id))
                continue
            }
            guard contents.asked.contains(id) else {
                if possible == [nil] { violations.append(.resurrected(document: id)) }
                continue
            }
            let found = contents.documents[id]
            if listed.contains(id) != (found != nil) { violations.append(.listedWrongly(document: id)) }
            guard !possible.contains(found) else { continue }
            violations.append(found == nil ? .lost(document: id) : possible == [nil] ? .resurrected(document: id) : .altered(document: id))
        }
        // Those that nobody asked for must be listed if they are certain to be there.
        for (id, possible) in possible where !contents.asked.contains(id) && !listed.contains(id) && !possible.contains(nil) {
            violations.append(.lost(document: id))
        }
        if listed.count < contents.listed.count {
            let twice = Dictionary(grouping: contents.listed) { $0 }.filter { $0.value.count > 1 }.keys
            violations += twice.map { .listedWrongly(document: $0) }
        }
        let documents = contents.documents.count + listed.subtracting(contents.asked).count
        let chunks =
            contents.documents.values.reduce(0) { $0 + $1.chunks.count }
            + listed.subtracting(contents.asked).reduce(0) { $0 + ((possible[$1]?.first ?? nil)?.chunks.count ?? 0) }
        if contents.documentCount != documents || contents.chunkCount != chunks {
            violations.append(
                .miscounted(documents: contents.documentCount, chunks: contents.chunkCount, insteadOf: documents, chunks))
        }
        violations += contents.nearest.filter { $0.key != $0.value }.map { .notFound(chunk: $0.key) }
        return violations
    }
}
