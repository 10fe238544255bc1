/// Where a benchmark takes its vectors from.
protocol VectorSource {
    var dimension: Int { get }
    var baseCount: Int { get }
    var queryCount: Int { get }
    func base(_ row: Int) throws -> [Float]
    func query(_ number: Int) throws -> [Float]
}

/// Components drawn evenly from −1 to 1: the same vectors for the same seed, on any machine.
struct RandomVectors: VectorSource {
    let baseCount: Int
    let queryCount: Int
    let dimension: Int
    let seed: UInt64

    func base(_ row: Int) -> [Float] { vector(UInt64(row)) }
    func query(_ number: Int) -> [Float] { vector(UInt64(baseCount + number)) }

    private func vector(_ number: UInt64) -> [Float] {
        var generator = SplitMix64(state: seed &+ number &* 0xD134_2543_DE82_EF95)
        return (0..<dimension).map { _ in Float.random(in: -1...1, using: &generator) }
    }
}

/// The vectors of the files `base` and `queries` in a directory.
struct StoredVectors: VectorSource {
    let baseCount: Int
    private let baseFile: NumPyFile
    private let queryFile: NumPyFile

    init(directory: String, limit: Int?) throws(NumPyFile.Problem) {
        baseFile = try Self.open("base", in: directory)
        queryFile = try Self.open("queries", in: directory)
        guard baseFile.columns == queryFile.columns else {
            throw .unusable(directory, "the queries have \(queryFile.columns) columns, the base \(baseFile.columns)")
        }
        baseCount = min(limit ?? .max, baseFile.rows)
    }

    var dimension: Int { baseFile.columns }
    var queryCount: Int { queryFile.rows }
    func base(_ row: Int) -> [Float] { baseFile.row(row) }
    func query(_ number: Int) -> [Float] { queryFile.row(number) }

    private static func open(_ name: String, in directory: String) throws(NumPyFile.Problem) -> NumPyFile {
        do {
            return try NumPyFile(path: "\(directory)/\(name).f16.npy")
        } catch .missing {
            return try NumPyFile(path: "\(directory)/\(name).npy")
        }
    }
}

/// Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014, figure 16.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
