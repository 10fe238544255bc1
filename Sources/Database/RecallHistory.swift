import Locks
import VectorSearch

/// How many of the nearest chunks the searches of a library find.
package struct RecallEstimate: Sendable, Equatable {
    /// 0 to 1: the mean of the searches that were looked at last.
    package let recall: Double
    /// How many these are.
    package let searches: Int
}

/// What searches that name no `ef` do, so that they find as many of the nearest as their library wants.
package enum SearchEffort: Sendable, Equatable {
    /// What the index is configured to.
    case configured
    /// A graph keeps so many candidates.
    case ef(Int)
    /// All vectors are compared.
    case exact
}

/// What was found out about the recall of one library's index, as it is configured now; and the guard that has searches look at more
/// when they find less than the library wants. It never has them look at less again: one that went to and fro would be below the minimum
/// half of the time.
// Sound as Sendable: all mutable state is read and written under `lock`.
final class RecallHistory: @unchecked Sendable {
    private let lock = Lock()
    private var nextLook = ContinuousClock.now
    /// Of the last searches, as a ring.
    private var recalls: [Double] = []
    private var next = 0
    private var currentEffort = SearchEffort.configured
    private var raiseCount = 0

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

    /// - Parameters:
    ///   - minimum: what the library wants.
    ///   - ef: the candidates that the search was to keep; nil: of an index that keeps none.
    func add(_ recall: Double, minimum: Double, ef: Int?) {
        lock.withLock {
            if recalls.count < Self.window { recalls.append(recall) } else { recalls[next] = recall }
            next = (next + 1) % Self.window
            // Not after each: who looks often enough sees everything that chance can do.
            guard next % Self.fewest == 0, isSurelyBelow(minimum) else { return }
            let most = IndexParameter.efSearch.range.upperBound
            if let ef, ef < most { currentEffort = .ef(min(2 * ef, most)) } else { currentEffort = .exact }
            raiseCount += 1
            forgetRecalls()
        }
    }

    private func forgetRecalls() { (recalls, next) = ([], 0) }

    private var mean: Double { recalls.reduce(0, +) / Double(recalls.count) }

    /// Whether it is hardly by chance that these searches found less: their mean is below by three of its standard errors.
    private func isSurelyBelow(_ minimum: Double) -> Bool {
        guard recalls.count >= Self.fewest else { return false }
        let (count, mean) = (Double(recalls.count), mean)
        let variance = recalls.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
        return mean + 3 * (variance / count).squareRoot() < minimum
    }

    var effort: SearchEffort { guarding.effort }

    /// With how often searches were made to look at more.
    var guarding: (effort: SearchEffort, raises: Int) { lock.withLock { (currentEffort, raiseCount) } }

    /// `nil` while too few searches were looked at.
    var estimate: RecallEstimate? {
        lock.withLock {
            guard recalls.count >= Self.fewest else { return nil }
            return RecallEstimate(recall: mean, searches: recalls.count)
        }
    }

    /// Said when the index is configured anew, or something else is wanted.
    func forget() {
        lock.withLock {
            forgetRecalls()
            (currentEffort, raiseCount) = (.configured, 0)
        }
    }
}
