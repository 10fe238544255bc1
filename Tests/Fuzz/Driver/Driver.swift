import CLibFuzzer
import FuzzTargets
import Glibc

// What libFuzzer calls. Arguments of ours begin with two dashes, which libFuzzer leaves alone:
//
//   Fuzz --target=NAME [--planted-bug] [libFuzzer's options] CORPUS...
//   Fuzz --target=NAME --seeds=DIRECTORY        writes the seeds of the target and ends
//
// The lock of the databases is taken in the working directory, where libFuzzer also leaves the input that broke a promise.

/// Set before anything else is called, and not changed after.
nonisolated(unsafe) private var target: any FuzzTarget = fuzzTargets["log"]!
nonisolated(unsafe) private var hasPlantedBug = false

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafePointer<CInt>, _ arguments: UnsafePointer<UnsafePointer<UnsafePointer<CChar>>>) -> CInt {
    let options = (1..<Int(count.pointee)).map { String(cString: arguments.pointee[$0]) }
    guard let name = value(of: "--target=", options), let chosen = fuzzTargets[name] else {
        print("usage: Fuzz --target=\(fuzzTargets.keys.sorted().joined(separator: "|")) [--planted-bug] [OPTIONS] CORPUS")
        exit(64)
    }
    target = chosen
    hasPlantedBug = options.contains("--planted-bug")
    if let directory = value(of: "--seeds=", options) {
        do {
            for (name, bytes) in try target.seeds(in: ".") { try write(bytes, to: "\(directory)/\(name)") }
        } catch {
            fatalError("the seeds cannot be written: \(error)")
        }
        exit(0)
    }
    return 0
}

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

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try target.run(Array(UnsafeBufferPointer(start: bytes, count: count)), in: ".", hasPlantedBug: hasPlantedBug)
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
    let mutated = target.mutate(Array(UnsafeBufferPointer(start: bytes, count: count)), limit: limit, with: &mutator).prefix(limit)
    _ = UnsafeMutableBufferPointer(start: bytes, count: limit).update(fromContentsOf: mutated)
    return mutated.count
}
