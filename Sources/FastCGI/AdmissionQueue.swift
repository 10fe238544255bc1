import HTTP
import Locks

/// Lets so many requests be handled at one time, has some more of each class wait, and turns the rest away at once. More work than
/// that would make all of it late: what is accepted is still done in time, at ten times the load too.
///
/// No class gets all the turns, and classes that wait take theirs one after the other: writes that wait for a disk hold up no search.
// Sound as Sendable: what changes is read and written under `lock`.
final class AdmissionQueue: @unchecked Sendable {
    private let lock = Lock()
    private let turnLimit: Int
    /// How many of them one class may have.
    private let classLimit: Int
    private let waitingLimit: Int
    private let longestWait: Duration
    private var turns = 0
    private var lines = [Line](repeating: Line(), count: RequestClass.allCases.count)
    /// The line that is asked first when a turn becomes free.
    private var next = 0

    private struct Line {
        var turns = 0
        /// In the order they came.
        var waiting: [Ticket] = []
        var turnedAway = 0
    }

    /// A thread that waits.
    private final class Ticket {
        let called = Condition()
        var hasTurn = false
    }

    /// - Parameters:
    ///   - turns: requests handled at one time. A quarter of them is kept from each class for the others.
    ///   - waiting: of each class.
    init(turns: Int, waiting: Int, longestWait: Duration) {
        turnLimit = turns
        classLimit = turns - turns / 4
        waitingLimit = waiting
        self.longestWait = longestWait
    }

    /// Returns when it is the caller's turn, who gives it back with `leave`; false when it is turned away: at once where as many wait
    /// already as may, else after `longestWait`.
    func enter(_ requestClass: RequestClass) -> Bool {
        let index = requestClass.index
        return lock.withLock {
            if turns < turnLimit, lines[index].turns < classLimit, lines[index].waiting.isEmpty {
                take(index)
                return true
            }
            guard lines[index].waiting.count < waitingLimit else {
                lines[index].turnedAway += 1
                return false
            }
            return wait(index)
        }
    }

    func leave(_ requestClass: RequestClass) {
        lock.withLock {
            turns -= 1
            lines[requestClass.index].turns -= 1
            while turns < turnLimit, let index = nextLine {
                take(index)
                let ticket = lines[index].waiting.removeFirst()
                ticket.hasTurn = true
                ticket.called.signal()
                next = (index + 1) % lines.count
            }
        }
    }

    /// Requests that have a turn, those that wait, and those that were turned away since the start.
    var figures: (running: Int, waiting: [RequestClass: Int], turnedAway: [RequestClass: Int]) {
        lock.withLock {
            func byClass(_ value: (Line) -> Int) -> [RequestClass: Int] {
                Dictionary(uniqueKeysWithValues: RequestClass.allCases.map { ($0, value(lines[$0.index])) })
            }
            return (turns, byClass(\.waiting.count), byClass(\.turnedAway))
        }
    }

    // MARK: With the lock held

    private func take(_ index: Int) {
        turns += 1
        lines[index].turns += 1
    }

    private var nextLine: Int? {
        for offset in 0..<lines.count {
            let index = (next + offset) % lines.count
            if !lines[index].waiting.isEmpty, lines[index].turns < classLimit { return index }
        }
        return nil
    }

    private func wait(_ index: Int) -> Bool {
        let ticket = Ticket()
        lines[index].waiting.append(ticket)
        let deadline = ContinuousClock.now + longestWait
        while !ticket.hasTurn {
            let rest = deadline - .now
            guard rest > .zero else {
                lines[index].waiting.removeAll { $0 === ticket }
                lines[index].turnedAway += 1
                return false
            }
            _ = ticket.called.wait(lock, atMost: rest)
        }
        return true
    }
}

extension RequestClass {
    /// Among all.
    fileprivate var index: Int {
        switch self {
        case .search: 0
        case .write: 1
        case .read: 2
        }
    }
}
