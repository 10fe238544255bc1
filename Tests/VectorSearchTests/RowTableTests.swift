import TestSupport
import Testing

@testable import VectorSearch

@Suite("Table of rows by hash")
struct RowTableTests {
    /// From all hashes equal to hardly any, and hashes at the end of the table, where probing wraps around.
    static let hashes: [@Sendable (UInt32) -> UInt32] = [
        { _ in 7 }, { _ in .max }, { $0 % 3 }, { .max - $0 % 5 }, { $0 / 4 }, { $0 &* 2_654_435_769 },
    ]

    @Test("agrees with a set through random insertions and removals, however hashes collide", arguments: hashes.indices)
    func agreesWithSet(number: Int) {
        let hashOf = Self.hashes[number]
        let seed = UInt64(number)
        var random = SplitMix(seed: seed)
        var table = RowTable()
        var model: Set<UInt32> = []
        for step in 0..<2000 {
            let row = UInt32.random(in: 0..<100, using: &random)
            if model.contains(row) {
                table.remove(row, hashOf: hashOf)
                model.remove(row)
            } else if Int.random(in: 0..<10, using: &random) < (step / 400 % 2 == 0 ? 9 : 4) {
                table.insert(row, hashOf: hashOf)
                model.insert(row)
            }

            #expect(table.count == model.count)
            let probe = UInt32.random(in: 0..<100, using: &random)
            let found = table.find(hash: hashOf(probe), hashOf: hashOf) { $0 == probe }
            #expect(found == (model.contains(probe) ? probe : nil), "seed \(seed), step \(step)")
        }
        for row in 0..<100 as Range<UInt32> {
            #expect((table.find(hash: hashOf(row), hashOf: hashOf) { $0 == row } != nil) == model.contains(row))
        }
    }

    @Test("is at most three quarters full, and does not grow by turnover")
    func boundsLoad() {
        var table = RowTable()
        for row in 0..<3000 as Range<UInt32> {
            table.insert(row, hashOf: Self.hashes[5])
            #expect(table.count * 4 <= table.sizeInBytes / 4 * 3)
        }
        let size = table.sizeInBytes

        for row in 0..<20_000 as Range<UInt32> {
            table.remove(row, hashOf: Self.hashes[5])
            table.insert(row + 3000, hashOf: Self.hashes[5])
        }

        #expect(table.sizeInBytes == size)
    }
}

@Suite("Nearest rows")
struct NearestRowsTests {
    @Test("are the smallest by distance and row, in whatever order they come")
    func keepsSmallest() {
        let seed: UInt64 = 41
        var random = SplitMix(seed: seed)
        for limit in [0, 1, 2, 3, 10, 50, 200] {
            // Few distances, so that most decisions are between ties.
            var candidates = (0..<100).map { Neighbor(row: Row($0), distance: Float($0 % 7)) }
            candidates.shuffle(using: &random)
            var nearest = NearestRows(limit: limit)

            for candidate in candidates {
                if candidate.distance <= nearest.bound { nearest.offer(candidate) }
            }

            #expect(nearest.sorted() == Array(candidates.sorted().prefix(limit)), "seed \(seed)")
        }
    }

    @Test("take nothing where nothing is wanted")
    func takesNothing() {
        var nearest = NearestRows(limit: 0)

        nearest.offer(Neighbor(row: Row(1), distance: -5))

        #expect(nearest.sorted().isEmpty)
    }
}

@Suite("Set of rows")
struct RowSetTests {
    @Test("agrees with a set of the standard library")
    func agreesWithSet() {
        let seed: UInt64 = 42
        var random = SplitMix(seed: seed)
        var rows = RowSet()
        var model: Set<Row> = []
        for _ in 0..<2000 {
            let row = Row(UInt32.random(in: 0..<500, using: &random))
            if Bool.random(using: &random) {
                rows.insert(row)
                model.insert(row)
            } else {
                rows.remove(row)
                model.remove(row)
            }
            #expect(rows.count == model.count)
        }
        #expect((0..<600).allSatisfy { rows.contains(Row($0)) == model.contains(Row($0)) })
    }
}
