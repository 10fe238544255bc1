/// An id and what several lists together say for it: higher is better.
package struct Fused<ID: Hashable & Comparable> {
    package let id: ID
    package let score: Double

    package init(id: ID, score: Double) {
        (self.id, self.score) = (id, score)
    }
}

extension Fused: Equatable {}
extension Fused: Sendable where ID: Sendable {}

/// Makes one list of several by the places of ids in them alone: the score of an id is the sum of weight / (k + rank), ranks counted from 1,
/// over the lists that have it (Cormack, Clarke and Büttcher, Reciprocal Rank Fusion outperforms Condorcet and Individual Rank Learning Methods,
/// SIGIR 2009; the weights are ours, there they are 1).
package struct ReciprocalRankFusion: Equatable, Sendable {
    /// How little it matters whether an id is first or second; 60 in the paper.
    package var k: Double

    package init(k: Double = 60) {
        self.k = k
    }

    /// - Parameters:
    ///   - lists: ids, the best first, each once in a list.
    ///   - weights: one for each list.
    /// - Returns: each id once, by descending score; those of equal scores by id.
    package func fuse<ID>(_ lists: [[ID]], weights: [Double]) -> [Fused<ID>] {
        precondition(lists.count == weights.count, "each list has a weight")
        var scores: [ID: Double] = [:]
        for (list, weight) in zip(lists, weights) {
            for (index, id) in list.enumerated() { scores[id, default: 0] += weight / (k + Double(index + 1)) }
        }
        return sorted(scores)
    }
}

/// Makes one list of several by the scores in them: those of each list are stretched so that the best becomes 1 and its floor 0, which is what
/// those below it count too, and the score of an id is the weighted sum over the lists that have it. The floor is the least score that there can be
/// (Bruch, Gai and Ingber, An Analysis of Fusion Functions for Hybrid Retrieval, TOIS 2023), or that of a place in the list (min-max normalisation:
/// Fox and Shaw, Combination of Multiple Searches, TREC-2, 1994).
package struct RelativeScoreFusion: Equatable, Sendable {
    package init() {}

    /// - Parameters:
    ///   - lists: ids with finite scores, higher is better, each id once in a list; in any order.
    ///   - floors: one for each list.
    ///   - weights: one for each list.
    /// - Returns: each id once, by descending score; those of equal scores by id. Where the best is no better than the floor, it counts as 1.
    package func fuse<ID>(_ lists: [[(id: ID, score: Double)]], floors: [Double], weights: [Double]) -> [Fused<ID>] {
        precondition(lists.count == weights.count && lists.count == floors.count, "each list has a floor and a weight")
        var scores: [ID: Double] = [:]
        for ((list, floor), weight) in zip(zip(lists, floors), weights) {
            guard let best = list.lazy.map(\.score).max() else { continue }
            for (id, score) in list {
                scores[id, default: 0] += weight * (best > floor ? max(0, (score - floor) / (best - floor)) : 1)
            }
        }
        return sorted(scores)
    }
}

private func sorted<ID>(_ scores: [ID: Double]) -> [Fused<ID>] {
    scores.map { Fused(id: $0.key, score: $0.value) }.sorted { left, right in
        left.score > right.score || left.score == right.score && left.id < right.id
    }
}
