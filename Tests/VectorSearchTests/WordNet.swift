import Glibc
import TestSupport
import Testing

/// The WordNet glosses and queries as vectors of all-MiniLM-L6-v2, which lie beside the checkout and not in it.
enum WordNet {
    static let dimension = 384
    private static let directory = checkout + "/../shared/data/wordnet"

    static let isHere = access(directory + "/base.f16.npy", R_OK) == 0 && access(directory + "/queries.f16.npy", R_OK) == 0

    static func glosses(_ count: Int) -> [[Float]] { read("base.f16.npy", count) }
    static func queries(_ count: Int) -> [[Float]] { read("queries.f16.npy", count) }

    /// The first rows of a file of 16-bit floats behind a head of 128 bytes.
    private static func read(_ name: String, _ count: Int) -> [[Float]] {
        guard let file = fopen(directory + "/" + name, "r") else { return [] }
        defer { fclose(file) }
        fseek(file, 128, SEEK_SET)
        var halves = [UInt16](repeating: 0, count: dimension)
        return (0..<count).map { _ in
            let read = fread(&halves, MemoryLayout<UInt16>.stride, dimension, file)
            precondition(read == dimension, "\(name) has \(count) rows")
            return halves.map { Float(Float16(bitPattern: $0)) }
        }
    }
}

extension Trait where Self == ConditionTrait {
    static var needsWordNet: Self { .enabled(if: WordNet.isHere, "shared/data/wordnet is not beside the checkout") }
}
