/// A number that a client may choose of an index.
package enum IndexParameter: String, CaseIterable, Sendable {
    /// HNSW: links of a node on each level above the lowest, which has twice as many.
    case m
    /// HNSW: candidates kept while a node's links are looked for.
    case efConstruction = "ef_construction"
    /// HNSW: candidates kept by a search that names no `ef`.
    case efSearch = "ef_search"
    /// IVF: lists; 0 chooses by the number of rows.
    case nlist
    /// IVF: lists that a search reads; 0 chooses by measuring how many find nearly all of the nearest.
    case nprobe
    /// LSH: hash tables.
    case tables
    /// LSH: hyperplanes of a table; 0 chooses by the number of rows.
    case bits
    /// LSH: buckets of each table that a search reads; 0 chooses by measuring how many find nearly all of the nearest.
    case probes
    /// k-d tree: rows of a leaf.
    case leafSize = "leaf_size"

    package var range: ClosedRange<Int> {
        switch self {
        case .m: 2...96
        case .efConstruction: 8...2000
        case .efSearch: 1...4096
        case .nlist: 0...65_536
        case .nprobe: 0...65_536
        case .tables: 1...64
        case .bits: 0...18
        case .probes: 0...65_536
        case .leafSize: 1...4096
        }
    }

    package var defaultValue: Int {
        switch self {
        case .m: 16
        case .efConstruction: 200
        case .efSearch: 64
        case .nlist, .nprobe, .bits, .probes: 0
        case .tables: 8
        case .leafSize: 32
        }
    }

    /// Whether it can change without building the index anew.
    package var isLive: Bool {
        switch self {
        case .efSearch, .nprobe, .probes: true
        case .m, .efConstruction, .nlist, .tables, .bits, .leafSize: false
        }
    }
}

/// Which index a library has, with what the client chose of it.
package struct IndexConfiguration: Equatable, Sendable {
    package let kind: IndexKind
    package let quantization: Quantization
    /// What was chosen; the others have their defaults.
    package private(set) var chosen: [IndexParameter: Int]

    /// - Parameter chosen: parameters of this kind, within their ranges.
    package init(_ kind: IndexKind, quantization: Quantization = .none, chosen: [IndexParameter: Int] = [:]) {
        precondition(kind.quantizations.contains(quantization), "the kind knows the quantization")
        precondition(
            chosen.allSatisfy { kind.parameters.contains($0.key) && $0.key.range.contains($0.value) }, "parameters are validated")
        self.kind = kind
        self.quantization = quantization
        self.chosen = chosen
    }

    package subscript(parameter: IndexParameter) -> Int {
        chosen[parameter] ?? parameter.defaultValue
    }

    /// With other values of some parameters.
    package func with(_ parameters: [IndexParameter: Int]) -> IndexConfiguration {
        IndexConfiguration(kind, quantization: quantization, chosen: chosen.merging(parameters) { $1 })
    }

    /// Whether an index of this configuration serves for `other` too: they differ in what can change live.
    package func servesAs(_ other: IndexConfiguration) -> Bool {
        kind == other.kind && quantization == other.quantization
            && kind.parameters.allSatisfy { $0.isLive || self[$0] == other[$0] }
    }
}
