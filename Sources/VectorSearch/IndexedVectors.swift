package import Locks

/// The vectors of a library with the index over them: rows the index has absorbed, and a tail of newer rows that are
/// searched exactly.
///
/// A row is found from the moment it is inserted. Taking rows into the index, letting them go and building another index are
/// work for a builder beside searches and changes: `beginWork`, `IndexWork.run` on any number of threads, `finishWork`.
///
/// Not thread safe but for that work: the owner admits searches together or one change; `beginWork` and `finishWork` count
/// as changes, and both are brief.
package final class IndexedVectors {
    package let store: VectorStore
    package private(set) var configuration: IndexConfiguration
    let memory = StoreMemory()

    /// The rows with a vector in use: what a search may return.
    private var live = RowSet()
    /// Live, and not in the index.
    private var tail = RowSet()
    /// Live, and in the index.
    private var absorbed = RowSet()
    /// Released, but an index still knows them, or is being told of them.
    private var released = RowSet()

    private var current: Slot
    /// What takes the place of `current` once it knows every live row.
    private var next: Slot?
    private var work: IndexWork?
    /// `auto`: what is known of the costs on these vectors.
    private var crossover = Crossover()

    /// An index and the rows it knows.
    final class Slot {
        let configuration: IndexConfiguration
        /// None searches exactly.
        let index: (any VectorIndex)?
        /// Rows in the index, live or released.
        var known = RowSet()
        /// The rows that are yet to be encoded.
        var uncoded: RowSet?

        init(_ configuration: IndexConfiguration, _ index: (any VectorIndex)?) {
            self.configuration = configuration
            self.index = index
        }
    }

    package init(
        dimension: Int, metric: Metric, configuration: IndexConfiguration = IndexConfiguration(.bruteForce),
        instructionSet: InstructionSet = .best
    ) {
        store = VectorStore(dimension: dimension, metric: metric, instructionSet: instructionSet)
        self.configuration = configuration
        current = Slot(configuration, configuration.kind.makeIndex(over: store, configuration))
        if configuration.quantization == .int8 { _ = store.beginCodes() }
    }
}
