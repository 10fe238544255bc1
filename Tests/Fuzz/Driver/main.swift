import CLibFuzzer
import FuzzTargets
import Glibc

// Runs a fuzz target under libFuzzer. Arguments of ours begin with two dashes, which libFuzzer leaves alone:
//
//   Fuzz --target=NAME [--planted-bug] [--locks=DIRECTORY] [libFuzzer's options] CORPUS...
//   Fuzz --target=NAME --seeds=DIRECTORY        writes the seeds of the target and ends
//
// The lock of the databases is taken in the working directory, or in that one: in memory it takes a tenth of the time. libFuzzer leaves
// the input that broke a promise in the working directory.

private let options = Array(CommandLine.arguments.dropFirst())
guard let target = value(of: "--target=", options).flatMap({ fuzzTargets[$0] }) else {
    print("usage: Fuzz --target=\(fuzzTargets.keys.sorted().joined(separator: "|")) [--planted-bug] [OPTIONS] CORPUS")
    exit(64)
}
if let directory = value(of: "--seeds=", options) {
    for (name, bytes) in try target.seeds(in: ".") { try write(bytes, to: "\(directory)/\(name)") }
    exit(0)
}
/// Set before libFuzzer runs, and not changed after.
private let run = (
    target: target, hasPlantedBug: options.contains("--planted-bug"), locks: value(of: "--locks=", options) ?? "."
)
private func value(of option: String, _ options: [String]) -> String? {
    options.first { $0.hasPrefix(option) }.map { String($0.dropFirst(option.count)) }
}

private struct WriteFailed: Error {
    let path: String
    let errno: Int32
}

private func write(_ bytes: [UInt8], to path: String) throws {
    guard let file = fopen(path, "w"), fwrite(bytes, 1, bytes.count, file) == bytes.count, fclose(file) == 0 else {
        throw WriteFailed(path: path, errno: errno)
    }
}

private func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try run.target.run(Array(UnsafeBufferPointer(start: bytes, count: count)), in: run.locks, hasPlantedBug: run.hasPlantedBug)
    } catch {
        fatalError("broken promise: \(error)")
    }
    return 0
}

@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ limit: Int, _ seed: UInt32) -> Int {
    var mutator = Mutator(seed: seed) { bytes, limit in
        [UInt8](unsafeUninitializedCapacity: max(limit, bytes.count)) { buffer, initialized in
            _ = buffer.update(fromContentsOf: bytes)
            initialized = LLVMFuzzerMutate(buffer.baseAddress!, bytes.count, limit)
        }
    }
    let mutated = run.target.mutate(Array(UnsafeBufferPointer(start: bytes, count: count)), limit: limit, with: &mutator).prefix(limit)
    _ = UnsafeMutableBufferPointer(start: bytes, count: limit).update(fromContentsOf: mutated)
    return mutated.count
}

var count = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
exit(LLVMFuzzerRunDriver(&count, &arguments, testOneInput))
