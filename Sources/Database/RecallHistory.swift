import Locks

/// How many of the nearest chunks the searches of a library find.
package struct RecallEstimate: Sendable, Equatable {
    /// 0 to 1: the mean of the searches that were looked at last.
    package let recall: Double
    /// How many these are.
    package let searches: Int
}

/// What was found out about the recall of one library's index, as it is configured now.
// Sound as Sendable: all mutable state is read and written under `lock`.
final class RecallHistory: @unchecked Sendable {
    private let lock = Lock()
    private var nextLook = ContinuousClock.now
    /// Of the last searches, as a ring.
    private var recalls: [Double] = []
    private var next = 0

    /// The searches that an estimate is made of, at most, and at least.
    private static let window = 50
    private static let fewest = 10

    /// Whether a search is to be looked at now. No other one is for `interval`.
    func isDue(every interval: Duration) -> Bool {
        lock.withLock {
            let now = ContinuousClock.now
            guard now >= nextLook else { return false }
            nextLook = now + interval
            return true
        }
    }

    func add(_ recall: Double) {
        lock.withLock {
            if recalls.count < Self.window { recalls.append(recall) } else { recalls[next] = recall }
            next = (next + 1) % Self.window
        }
    }

    /// `nil` while too few searches were looked at.
    var estimate: RecallEstimate? {
        lock.withLock {
            guard recalls.count >= Self.fewest else { return nil }
            return RecallEstimate(recall: recalls.reduce(0, +) / Double(recalls.count), searches: recalls.count)
        }
    }

    /// Said when the index is configured anew.
    func forget() {
        lock.withLock { (recalls, next) = ([], 0) }
    }
}
