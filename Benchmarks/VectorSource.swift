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

/// The vectors of the files `base` and `queries` in a directory, and the exact answers if they are there too.
struct StoredVectors: VectorSource {
    let baseCount: Int
    private let directory: String
    private let baseFile: TableFile
    private let queryFile: TableFile

    private static let endings = ["f16.npy", "npy", "fvecs"]

    /// - Parameter limit: at most that many vectors are used of the base, the first ones.
    init(directory: String, limit: Int? = nil) throws(FileProblem) {
        baseFile = try TableFile.find("base", in: directory, endings: Self.endings)
        queryFile = try TableFile.find("queries", in: directory, endings: Self.endings)
        for file in [baseFile, queryFile] where file.isInteger {
            throw .unusable(file.path, "whole numbers, where vectors have floats")
        }
        guard baseFile.columns == queryFile.columns else {
            throw .unusable(directory, "the queries have \(queryFile.columns) columns, the base \(baseFile.columns)")
        }
        self.directory = directory
        baseCount = min(limit ?? .max, baseFile.rows)
    }

    var dimension: Int { baseFile.columns }
    var queryCount: Int { queryFile.rows }
    func base(_ row: Int) -> [Float] { baseFile.floats(row) }
    func query(_ number: Int) -> [Float] { queryFile.floats(number) }

    /// The rows nearest to each query, nearest first, from `exact_METRIC.npy` or `.ivecs`; nil if there is no such file, or if
    /// its answers are those of more rows than are used.
    func exactAnswers(metric: String, count: Int) throws(FileProblem) -> [[Int]]? {
        guard baseCount == baseFile.rows else { return nil }
        let file: TableFile
        do {
            file = try TableFile.find("exact_\(metric)", in: directory, endings: ["npy", "ivecs"])
        } catch .missing {
            return nil
        }
        guard file.isInteger, file.rows == queryCount, file.columns >= count else {
            throw .unusable(file.path, "not at least \(count) row numbers for each of \(queryCount) queries")
        }
        let answers = (0..<file.rows).map { file.integers($0) }
        guard answers.allSatisfy({ $0.allSatisfy { (0..<baseCount).contains($0) } }) else {
            throw .unusable(file.path, "a row number beyond the \(baseCount) rows of the base")
        }
        return answers
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
