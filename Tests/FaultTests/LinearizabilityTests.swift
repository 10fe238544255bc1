import TestSupport
import Testing

@Suite("Faults: the check of linearizability")
struct LinearizabilityTests {
    /// A history that no order explains, and what is wrong in it.
    private struct Illegal {
        let fault: String
        let history: [Operation]

        init(_ fault: String, _ history: [Operation]) { (self.fault, self.history) = (fault, history) }
    }

    private static let illegalHistories: [Illegal] = [
        Illegal("found before it was ever created", [read(1, 0, 1)]),
        Illegal("found another version than there ever was", [create(1, 0, 1), read(2, 2, 3)]),
        Illegal("an acknowledged document is missing", [create(1, 0, 1), read(nil, 2, 3)]),
        Illegal("a deleted document is found", [create(1, 0, 1), delete(2, 3), read(1, 4, 5)]),
        Illegal("an old version is found", [create(1, 0, 1), replace(2, 2, 3), read(1, 4, 5)]),
        Illegal("created twice", [create(1, 0, 1), create(2, 2, 3)]),
        Illegal("created twice at once", [create(1, 0, 5), create(2, 1, 6)]),
        Illegal("deleted twice at once", [create(1, 0, 1), delete(2, 5), delete(3, 6)]),
        Illegal("created in vain where nothing was", [createInVain(1, 0, 1)]),
        Illegal("created in vain after it was deleted", [create(1, 0, 1), delete(2, 3), createInVain(2, 4, 5)]),
        Illegal("deleted in vain what was there", [create(1, 0, 1), deleteInVain(2, 3)]),
        Illegal("deleted what was not there", [delete(0, 1)]),
        Illegal(
            "two readers see two replacements in two orders",
            [
                replace(1, 0, 9), replace(2, 0, 9), read(1, 1, 2), read(2, 3, 4), read(1, 5, 6),
            ]
        ),
        Illegal("seen, and then not yet", [create(1, 0, 9), read(1, 1, 2), read(nil, 3, 4)]),
        Illegal("a delete under way is seen, and then not yet", [create(1, 0, 1), delete(2, 9), read(nil, 3, 4), read(1, 5, 6)]),
        Illegal("an unknown change is undone", [unknown(.create(1), 0), read(1, 1, 2), read(nil, 3, 4)]),
        Illegal("an unknown change is made twice", [unknown(.create(1), 0), delete(1, 2), delete(3, 4)]),
        Illegal("an unknown delete brings something else", [create(1, 0, 1), unknown(.delete, 2), read(2, 3, 4)]),
        Illegal("an unknown change took place before it was sent", [read(1, 0, 1), unknown(.create(1), 2)]),
        Illegal("an unknown replacement comes and goes", [create(1, 0, 1), unknown(.replace(2), 2), read(2, 3, 4), read(1, 5, 6)]),
        Illegal(
            "lost between two that overlap nothing else", [create(1, 0, 1), replace(2, 2, 5), read(2, 3, 4), read(1, 6, 7), read(2, 8, 9)]),
        Illegal("a wrong answer among many right ones", longHistory),
        Illegal("an acknowledged PUT is not seen", [create(1, 0, 1), put(2, 2, 3), read(1, 4, 5)]),
        Illegal("put in the place of nothing", [put(1, 0, 1)]),
        Illegal("put in the place of what was deleted", [create(1, 0, 1), delete(2, 3), put(2, 4, 5), read(2, 6, 7)]),
        Illegal("put in vain where there was one", [create(1, 0, 1), putInVain(2, 2, 3)]),
        Illegal("put in vain, and all the same there", [putInVain(1, 0, 1), read(1, 2, 3)]),
        Illegal("half of a PUT is seen", [create(1, 0, 1), put(2, 2, 9), read(metadata: 2, chunks: 1, 3, 4)]),
        Illegal("a PUT leaves the metadata as they were", [create(1, 0, 1), put(2, 2, 3), read(metadata: 1, chunks: 2, 4, 5)]),
        Illegal("a PUT under way brings back what was deleted", [create(1, 0, 1), put(2, 2, 9), delete(3, 4), read(2, 10, 11)]),
        Illegal("an unknown PUT adds what was not there", [create(1, 0, 1), delete(2, 3), unknown(.put(2), 4), read(2, 5, 6)]),
        Illegal("an acknowledged PATCH is not seen", [create(1, 0, 1), patch(2, 2, 3), read(1, 4, 5)]),
        Illegal("patched what was not there", [patch(1, 0, 1)]),
        Illegal("patched in vain where there was one", [create(1, 0, 1), patchInVain(2, 2, 3)]),
        Illegal("a PATCH changes the chunks", [create(1, 0, 1), patch(2, 2, 3), read(2, 4, 5)]),
        Illegal(
            "a PATCH brings back the chunks that it had read",
            [create(1, 0, 1), put(2, 2, 5), patch(3, 2, 5), read(metadata: 3, chunks: 1, 6, 7)]),
        Illegal(
            "of two PATCHes one after the other the first is seen",
            [create(1, 0, 1), patch(2, 2, 3), patch(3, 4, 5), read(metadata: 2, chunks: 1, 6, 7)]),
        Illegal(
            "two readers see two PATCHes in two orders",
            [
                create(1, 0, 1), patch(2, 2, 9), patch(3, 2, 9), read(metadata: 2, chunks: 1, 3, 4), read(metadata: 3, chunks: 1, 5, 6),
                read(metadata: 2, chunks: 1, 7, 8),
            ]
        ),
        Illegal(
            "a PATCH under way brings back what was deleted",
            [create(1, 0, 1), patch(2, 2, 9), delete(3, 4), read(metadata: 2, chunks: 1, 10, 11)]),
        Illegal(
            "an unknown PATCH comes and goes", [create(1, 0, 1), unknown(.patch(2), 2), read(metadata: 2, chunks: 1, 3, 4), read(1, 5, 6)]),
        Illegal("an unknown PATCH adds what was not there", [unknown(.patch(1), 0), read(1, 1, 2)]),
    ]

    private static var longHistory: [Operation] {
        (0..<50).flatMap { (round: Int) -> [Operation] in
            let time = UInt64(10 * round)
            return [replace(round, time, time + 1), read(round == 31 ? 29 : round, time + 2, time + 3)]
        }
    }

    @Test("no order is found where there is none", arguments: illegalHistories.indices)
    func illegal(index: Int) {
        let illegal = Self.illegalHistories[index]

        #expect(!LinearizabilityCheck.isLinearizable(illegal.history), "\(illegal.fault)")
    }

    private static let legalHistories: [[Operation]] = [
        [],
        [read(nil, 0, 1)],
        [create(1, 0, 1), read(1, 2, 3), delete(4, 5), read(nil, 6, 7)],
        // Those that overlap may have taken place in either order.
        [create(1, 0, 9), read(nil, 1, 2), read(1, 3, 4)],
        [create(1, 0, 9), createInVain(2, 0, 9), delete(10, 19), createInVain(3, 10, 19)],
        [replace(1, 0, 9), replace(2, 0, 9), read(2, 1, 2), read(1, 3, 4)],
        [create(1, 0, 1), delete(2, 9), create(2, 3, 8), read(1, 4, 5), read(2, 10, 11)],
        // What is unknown may have taken place, late, or never.
        [unknown(.create(1), 0), read(nil, 1, 2), read(1, 3, 4)],
        [unknown(.create(1), 0), create(2, 1, 2), delete(3, 4), read(1, 5, 6)],
        [create(1, 0, 1), unknown(.delete, 2), read(1, 3, 4), read(1, 5, 6)],
        [unknown(.replace(1), 0), unknown(.replace(2), 0), read(2, 1, 2), read(1, 3, 4)],
        // PUT and PATCH.
        [create(1, 0, 1), put(2, 2, 3), read(2, 4, 5), patch(3, 6, 7), read(metadata: 3, chunks: 2, 8, 9)],
        [putInVain(1, 0, 1), patchInVain(2, 2, 3), read(nil, 4, 5)],
        [create(1, 0, 1), put(2, 2, 5), patch(3, 2, 5), read(2, 6, 7)],
        [create(1, 0, 1), put(2, 2, 5), patch(3, 2, 5), read(metadata: 3, chunks: 2, 6, 7)],
        [create(1, 0, 1), put(2, 2, 9), delete(3, 4), read(nil, 10, 11)],
        [create(1, 0, 1), delete(2, 9), putInVain(2, 3, 4), patchInVain(3, 5, 6)],
        [create(1, 0, 1), unknown(.patch(2), 2), read(1, 3, 4), read(metadata: 2, chunks: 1, 5, 6)],
        [create(1, 0, 1), unknown(.put(2), 2), delete(3, 4), create(3, 5, 6), read(2, 7, 8)],
    ]

    @Test("an order is found where there is one", arguments: legalHistories)
    func legal(history: [Operation]) {
        #expect(LinearizabilityCheck.isLinearizable(history))
    }

    @Test("all orders tried one by one say the same of random short histories")
    func againstAllOrders() {
        var chance = SplitMix(seed: seed("short histories", standard: 1))
        var legal = 0
        let histories = count("QUIRE_SHORT_HISTORIES", standard: 3000)
        for _ in 0..<histories {
            let history = (0..<Int.random(in: 1...5, using: &chance)).map { _ in Operation.random(&chance) }
            let expected = history.hasLegalOrder(after: nil)
            #expect(LinearizabilityCheck.isLinearizable(history) == expected, "\(history)")
            legal += expected ? 1 : 0
        }
        #expect(legal > histories / 20 && legal < histories * 19 / 20)
    }
}

extension [Operation] {
    /// The definition itself: whether one of the operations that nothing left precedes can come first, and the others after it.
    fileprivate func hasLegalOrder(after version: Version?) -> Bool {
        if allSatisfy({ $0.answer == .unknown }) { return true }
        return indices.contains { index in
            guard !contains(where: { $0.answer != .unknown && $0.end < self[index].start }),
                let next = self[index].apply(to: version)
            else { return false }
            var rest = self
            rest.remove(at: index)
            return rest.hasLegalOrder(after: next)
        }
    }
}

extension Operation {
    fileprivate static func random(_ chance: inout SplitMix) -> Operation {
        let version = Int.random(in: 1...2, using: &chance)
        let start = UInt64.random(in: 0...8, using: &chance)
        let end = start + UInt64.random(in: 1...6, using: &chance)
        return switch Int.random(in: 0...13, using: &chance) {
        case 0: create(version, start, end)
        case 1: createInVain(version, start, end)
        case 2: replace(version, start, end)
        case 3: delete(start, end)
        case 4: deleteInVain(start, end)
        case 5: read(nil, start, end)
        case 6:
            unknown(
                [.create(version), .replace(version), .put(version), .patch(version), .delete].randomElement(using: &chance)!, start)
        case 7: put(version, start, end)
        case 8: putInVain(version, start, end)
        case 9: patch(version, start, end)
        case 10: patchInVain(version, start, end)
        case 11: read(metadata: version, chunks: 3 - version, start, end)
        default: read(version, start, end)
        }
    }
}

private func create(_ version: Int, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(action: .create(version), answer: .done, start: start, end: end)
}

private func createInVain(_ version: Int, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(action: .create(version), answer: .refused, start: start, end: end)
}

private func replace(_ version: Int, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(action: .replace(version), answer: .done, start: start, end: end)
}

private func put(_ version: Int, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(action: .put(version), answer: .done, start: start, end: end)
}

private func putInVain(_ version: Int, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(action: .put(version), answer: .refused, start: start, end: end)
}

private func patch(_ version: Int, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(action: .patch(version), answer: .done, start: start, end: end)
}

private func patchInVain(_ version: Int, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(action: .patch(version), answer: .refused, start: start, end: end)
}

private func delete(_ start: UInt64, _ end: UInt64) -> Operation {
    Operation(action: .delete, answer: .done, start: start, end: end)
}

private func deleteInVain(_ start: UInt64, _ end: UInt64) -> Operation {
    Operation(action: .delete, answer: .refused, start: start, end: end)
}

private func read(_ version: Int?, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(action: .read, answer: .found(version.map(Version.init)), start: start, end: end)
}

private func read(metadata: Int, chunks: Int, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(action: .read, answer: .found(Version(metadata: metadata, chunks: chunks)), start: start, end: end)
}

private func unknown(_ action: Operation.Action, _ start: UInt64) -> Operation {
    Operation(action: action, answer: .unknown, start: start, end: .max)
}
