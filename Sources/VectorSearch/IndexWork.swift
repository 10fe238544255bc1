import Locks

/// A piece of work on an index, for as many threads as like to join.
// Sound as Sendable: what threads share is read and written under `lock`; the index is called as its protocol says.
package final class IndexWork: @unchecked Sendable {
    enum Job {
        /// Takes rows into an index.
        case absorb(IndexedVectors.Slot, [Row])
        /// Lets released rows go.
        case forget(IndexedVectors.Slot, RowSet)
        /// Writes codes of rows that had none.
        case encode([Row])
        /// Finds out from how many rows on a graph is worth it.
        case measure(IndexedVectors.Slot)
    }

    let job: Job
    private let store: VectorStore
    private let memory: StoreMemory
    private let pieceSize: Int
    private let pieceCount: Int
    /// The rows that are being taken in or encoded.
    let announced: RowSet

    private let lock = Lock()
    private var nextPiece = 0
    private var isCancelled = false
    private var donePieces = Set<Int>()
    private var prepared: [any PreparedRows] = []
    private var measured: Crossover?

    /// Pieces of a pass over all rows: short enough to be cancelled.
    private static let forgettingParts = 64

    init(_ job: Job, _ store: VectorStore, _ memory: StoreMemory) {
        self.job = job
        self.store = store
        self.memory = memory
        switch job {
        case .absorb(let slot, let rows):
            pieceSize = max(1, min(slot.index!.pieceSize, rows.count))
            pieceCount = (rows.count + pieceSize - 1) / pieceSize
            announced = RowSet(rows)
        case .forget:
            (pieceSize, pieceCount, announced) = (1, Self.forgettingParts, RowSet())
        case .encode(let rows):
            pieceSize = 256
            pieceCount = (rows.count + pieceSize - 1) / pieceSize
            announced = RowSet(rows)
        case .measure:
            (pieceSize, pieceCount, announced) = (1, 1, RowSet())
        }
    }

    /// Does pieces until none is left to take. Other threads may still be at theirs.
    package func run() {
        while let piece = takePiece() {
            let (result, crossover) = perform(piece)
            lock.withLock {
                donePieces.insert(piece)
                if let result { prepared.append(result) }
                if let crossover { measured = crossover }
            }
        }
    }

    /// Makes `run` return after the piece that it is at.
    package func cancel() {
        lock.withLock { isCancelled = true }
    }

    private func takePiece() -> Int? {
        lock.withLock {
            guard nextPiece < pieceCount, !isCancelled else { return nil }
            nextPiece += 1
            return nextPiece - 1
        }
    }

    private func perform(_ piece: Int) -> (prepared: (any PreparedRows)?, Crossover?) {
        switch job {
        case .absorb(let slot, let rows):
            return (slot.index!.prepare(rows[range(of: piece, in: rows)], memory), nil)
        case .forget(let slot, let rows):
            slot.index!.prepareToForget(rows, part: piece, of: pieceCount, memory)
            return (nil, nil)
        case .encode(let rows):
            memory.pinned {
                for row in rows[range(of: piece, in: rows)] { store.codes!.encode(row, of: store) }
            }
            return (nil, nil)
        case .measure(let slot):
            return (nil, memory.pinned { Crossover.measure(slot.index!, over: slot.known, of: store) })
        }
    }

    private func range(of piece: Int, in rows: [Row]) -> Range<Int> {
        piece * pieceSize..<min(rows.count, (piece + 1) * pieceSize)
    }

    // MARK: After the last thread has returned

    var isComplete: Bool { lock.withLock { donePieces.count == pieceCount } }
    var results: [any PreparedRows] { lock.withLock { prepared } }
    var crossover: Crossover? { lock.withLock { measured } }

    /// Those of the job's rows that were done.
    func doneRows(of rows: [Row]) -> [Row] {
        lock.withLock { donePieces.sorted().flatMap { rows[range(of: $0, in: rows)] } }
    }

    /// Whether the row is being taken in or encoded.
    func concerns(_ row: Row) -> Bool { announced.contains(row) }
}
