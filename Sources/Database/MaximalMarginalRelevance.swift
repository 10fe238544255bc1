/// Puts what was found in an order in which each says something that those before it did not: maximal marginal relevance (Carbonell and
/// Goldstein, The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries, SIGIR 1998).
///
/// The next is always the one with the most (1 − diversity) · relevance − diversity · similarity. Its similarity is the largest to one that
/// stands before it; relevances are stretched to 0 to 1, so that those of words, of vectors and of both weigh alike against it.
struct MaximalMarginalRelevance {
    /// 0: by relevance alone; 1: as different as can be, behind the most relevant.
    let diversity: Float

    /// Costs `count` calls of `similarities`.
    ///
    /// - Parameters:
    ///   - relevances: of all candidates, the most relevant first.
    ///   - count: how many places are given, at most.
    ///   - similarities: how similar the candidate at a place is to each: 1 for one that says the same.
    /// - Returns: the places of candidates in `relevances`. Of equals the more relevant comes first.
    func order(_ relevances: [Float], count: Int, similarities: (Int) -> [Float]) -> [Int] {
        guard let best = relevances.first, let worst = relevances.last else { return [] }
        let relevances = relevances.map { best > worst ? ($0 - worst) / (best - worst) : 1 }
        var rest = Array(relevances.indices)
        var order: [Int] = []
        // To the most similar of those that have their places. Vectors that point away from all of them are not better than unrelated ones.
        var similarity = [Float](repeating: 0, count: relevances.count)
        while order.count < count, !rest.isEmpty {
            func gain(_ candidate: Int) -> Float { (1 - diversity) * relevances[candidate] - diversity * similarity[candidate] }
            var next = 0
            for place in rest.indices where gain(rest[place]) > gain(rest[next]) { next = place }
            let chosen = rest.remove(at: next)
            order.append(chosen)
            if order.count < count {
                for (candidate, value) in similarities(chosen).enumerated() { similarity[candidate] = max(similarity[candidate], value) }
            }
        }
        return order
    }
}
