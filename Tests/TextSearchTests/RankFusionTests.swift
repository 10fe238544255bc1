import TestSupport
import Testing

@testable import TextSearch

@Suite("Fusion of ranked lists")
struct RankFusionTests {
    @Test("adds reciprocal ranks")
    func addsReciprocalRanks() {
        let fused = ReciprocalRankFusion().fuse([["a", "b", "c"], ["c", "a"]], weights: [1, 1])

        #expect(fused.map(\.id) == ["a", "c", "b"])
        #expect(fused.map(\.score) == [1.0 / 61 + 1.0 / 62, 1.0 / 63 + 1.0 / 61, 1.0 / 62])
    }

    @Test("weighs lists and counts ranks by k")
    func weighsLists() {
        let fused = ReciprocalRankFusion(k: 1).fuse([[1, 2], [2, 3]], weights: [0.25, 3])

        #expect(fused == [Fused(id: 2, score: 0.25 / 3 + 1.5), Fused(id: 3, score: 1), Fused(id: 1, score: 0.125)])
    }

    @Test("stretches scores from 0 to 1 and adds them")
    func addsStretchedScores() {
        let fused = RelativeScoreFusion().fuse(
            [[("a", -4), ("b", 0), ("c", -2)], [("c", 30), ("d", 10)], [("d", 7)], []], floors: [-4, 10, 7, 0],
            weights: [1, 0.5, 0.25, 9])

        #expect(fused == [Fused(id: "b", score: 1), Fused(id: "c", score: 1), Fused(id: "d", score: 0.25), Fused(id: "a", score: 0)])
    }

    @Test("a score counts by how far it is above the floor, and nothing below it")
    func floor() {
        let fused = RelativeScoreFusion().fuse(
            [[("a", 4), ("b", 3), ("d", -1)], [("a", 0), ("c", 0)]], floors: [0, 0], weights: [1, 0.5])

        #expect(fused.map(\.id) == ["a", "b", "c", "d"] && fused.map(\.score) == [1.5, 0.75, 0.5, 0])
    }

    @Test("orders equal scores by id")
    func ordersTies() {
        #expect(ReciprocalRankFusion().fuse([[3, 1], [1, 3], [2]], weights: [1, 1, 0]).map(\.id) == [1, 3, 2])
        #expect(
            RelativeScoreFusion().fuse([[(9, 1.5), (4, 1.5), (7, 1.5)]], floors: [1.5], weights: [2])
                == [4, 7, 9].map { Fused(id: $0, score: 2) })
        #expect(ReciprocalRankFusion().fuse([[Int]](), weights: []).isEmpty)
    }
}

@Suite("Best slots")
struct BestSlotsTests {
    @Test("are those of the highest scores, then of the lowest slots, in whatever order they come")
    func keepsBest() {
        let seed: UInt64 = 81
        var random = SplitMix(seed: seed)
        for limit in [0, 1, 2, 3, 10, 50, 200] {
            var candidates = (0..<100).map { ScoredSlot(slot: $0, score: Float($0 % 7)) }
            candidates.shuffle(using: &random)
            var best = BestSlots(limit: limit)

            for candidate in candidates { best.offer(candidate.slot, candidate.score) }

            let expected = candidates.sorted { $0.score > $1.score || $0.score == $1.score && $0.slot < $1.slot }
            #expect(best.sorted() == Array(expected.prefix(limit)), "seed \(seed)")
        }
    }
}
