/// A promise about bytes that anybody may have written. The fuzzer looks for bytes that break it.
///
/// Each target knows the frame of its input: a fuzzer that only flips bits would be stopped by the first checksum, so `mutate` changes
/// what is inside and writes the frame anew.
package protocol FuzzTarget: Sendable {
    /// Throws `BrokenPromise` if the product did not keep its promise; a trap in the product ends the process.
    ///
    /// - Parameters:
    ///   - directory: one that exists, for the lock of a database; all other files are in memory.
    ///   - hasPlantedBug: whether to make a mistake that only inputs show which no seed is like: a fuzzer that does not find it gets
    ///     nowhere.
    func run(_ input: [UInt8], in directory: String, hasPlantedBug: Bool) throws

    /// Another input like this one, of at most about `limit` bytes.
    func mutate(_ input: [UInt8], limit: Int, with mutator: inout Mutator) -> [UInt8]

    /// Real inputs, made by the product, to begin with.
    func seeds(in directory: String) throws -> [String: [UInt8]]
}

package let fuzzTargets: [String: any FuzzTarget] = [
    "log": LogTarget(), "snapshot": SnapshotTarget(), "records": RecordsTarget(), "index": IndexTarget(), "requests": RequestsTarget(),
    "filter": FilterTarget(), "parameters": ParametersTarget(), "paths": PathsTarget(), "settings": SettingsTarget(),
]

/// What the product did with an input and should not have done.
package struct BrokenPromise: Error, CustomStringConvertible {
    package let description: String
}

func promise(_ holds: Bool, _ description: @autoclosure () -> String) throws {
    if !holds { throw BrokenPromise(description: description()) }
}

/// Chance, and a way to change bytes by chance; both are the fuzzer's.
package struct Mutator {
    private var state: UInt32
    private let mutateBytes: ([UInt8], _ limit: Int) -> [UInt8]

    package init(seed: UInt32, mutateBytes: @escaping ([UInt8], _ limit: Int) -> [UInt8]) {
        state = seed
        self.mutateBytes = mutateBytes
    }

    /// A number from 0 to `count` - 1 (a linear congruential generator; the high bits are the random ones).
    mutating func choose(_ count: Int) -> Int {
        state = state &* 1_664_525 &+ 1_013_904_223
        return Int(state >> 8) % count
    }

    /// Other bytes in place of those in `range`.
    func change(_ bytes: inout [UInt8], _ range: Range<Int>? = nil, limit: Int) {
        let range = range ?? bytes.indices
        let changed = mutateBytes(Array(bytes[range]), max(1, limit - (bytes.count - range.count)))
        bytes.replaceSubrange(range, with: changed)
    }

    /// Other bytes in place of those in `range`, as many.
    func overwrite(_ bytes: inout [UInt8], _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        let changed = mutateBytes(Array(bytes[range]), range.count)
        bytes.replaceSubrange(range.lowerBound..<(range.lowerBound + changed.count), with: changed)
    }
}
