import ArgumentParser
import CBenchmarks
import Embedding
import Glibc
import Locks

/// Text to vectors in this process: texts a second, and how near that is to what the processor can do.
struct Embed: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures the local embedding model, with one thread and with several.",
        discussion: "Scripts/bootstrap-model fetches the model. Without --texts, texts are made up of common words, a token each.")

    @Option(help: "The directory with model.safetensors and vocab.txt. Default: where Scripts/bootstrap-model puts them.")
    var model = Self.bootstrapDirectory

    @Option(help: "Tokens of a made-up text, or several numbers with commas between: each is measured.")
    var tokens = List([16, 98])

    @Option(help: "A file with one text a line, instead of made-up ones.")
    var texts: String?

    @Option(help: "The number of threads, beside the runs with one. Each embeds texts of its own.")
    var threads = Machine.processorCount

    @Option(help: "Seconds of a run; three are made of each kind and the median counts.")
    var seconds = 3.0

    /// Texts of one call, as many as a stream embeds together.
    private static let group = 128

    func validate() throws {
        guard tokens.values.allSatisfy((3...256).contains), threads > 0, seconds > 0 else {
            throw ValidationError("--tokens are from 3 to 256; --threads and --seconds are positive.")
        }
    }

    func run() throws {
        let before = try Machine.anonymousBytes()
        var provider: MiniLMProvider!
        let loading = try ContinuousClock().measure { provider = try MiniLMProvider(directory: model) }
        let memory = try Machine.anonymousBytes() - before
        report("machine", "\(Machine.processorName), kernels for \(provider.instructionSetName)")
        report("loaded in", "\(rounded(loading / .milliseconds(1), 0)) ms, \(rounded(Double(memory) / 1e6, 0)) MB of memory")
        let peak = try Self.peak(threads: 1)
        let together = try threads > 1 ? ", \(rounded(Self.peak(threads: threads) / 1e9, 1)) with \(threads) threads" : ""
        report("float32 in registers", "\(rounded(peak / 1e9, 1)) GFLOP/s with one thread\(together)")
        if let texts {
            try measure("texts of the file", textLines(of: texts), provider, peak)
        } else {
            for count in tokens.values { try measure("\(count) tokens", Self.madeUp(tokens: count), provider, peak) }
        }
    }

    private func measure(_ name: String, _ texts: [String], _ provider: MiniLMProvider, _ peak: Double) throws {
        // Warm, and checked: the texts of made-up words have the tokens they are said to have.
        let sample = Array(texts.prefix(Self.group))
        let tokensPerText = Double(try provider.embed(sample, as: .document).tokens) / Double(sample.count)
        let alone = try (0..<3).map { _ in try rate(of: texts, provider, threads: 1) }.sorted()[1]
        let operations = alone * tokensPerText * Double(provider.operationsPerToken)
        report(
            name,
            "\(rounded(alone, 1)) texts/s with one thread: \(rounded(operations / 1e9, 1)) GFLOP/s in matrices, "
                + "\(rounded(operations / peak, 2)) of the peak; \(rounded(tokensPerText, 1)) tokens a text")
        guard threads > 1 else { return }
        let together = try (0..<3).map { _ in try rate(of: texts, provider, threads: threads) }.sorted()[1]
        report(name, "\(rounded(together, 1)) texts/s with \(threads) threads, \(rounded(together / alone, 2)) times as many")
    }

    /// Texts a second of all threads together.
    private func rate(of texts: [String], _ provider: MiniLMProvider, threads: Int) throws -> Double {
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        let counter = Counter()
        let workers = try (0..<threads).map { number in
            try Thread("bench") {
                var next = number * Self.group
                repeat {
                    let group = (next..<next + Self.group).map { texts[$0 % texts.count] }
                    do {
                        _ = try provider.embed(group, as: .document)
                    } catch {
                        fatalError("\(error)")
                    }
                    counter.add(group.count)
                    next += threads * Self.group
                } while ContinuousClock.now < end
            }
        }
        for worker in workers { worker.join() }
        return Double(counter.count) / ((.now - start) / .seconds(1))
    }

    /// Operations a second of threads that do nothing but multiply and add: the best of ten runs.
    private static func peak(threads: Int) throws -> Double {
        try (0..<10).map { _ in
            let start = ContinuousClock.now
            let counter = Counter()
            let workers = try (0..<threads).map { _ in
                try Thread("bench") {
                    var result: Float = 0
                    counter.add(Int(quire_multiply_add(10_000_000, &result)))
                }
            }
            for worker in workers { worker.join() }
            return Double(counter.count) / ((.now - start) / .seconds(1))
        }.max()!
    }

    private static let words = """
        water house river stone morning winter window garden mountain island music letter market engine summer bridge children
        teacher village animal history question answer paper silver yellow number forest ocean kitchen evening doctor
        """.split(whereSeparator: \.isWhitespace)

    /// As many texts as a few calls take, each of other words. Two of the tokens are the model's own marks.
    private static func madeUp(tokens: Int) -> [String] {
        (0..<1024).map { text in
            (0..<tokens - 2).map { words[(text * 7 + $0 * (text % 5 + 1)) % words.count] }.joined(separator: " ")
        }
    }

    private static var bootstrapDirectory: String {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        let cache = variable("XDG_CACHE_HOME") ?? (variable("HOME") ?? "") + "/.cache"
        return variable("QUIRE_MODEL_DIR") ?? cache + "/quire/models/all-minilm-l6-v2"
    }
}

/// What several threads have done.
// Sound as Sendable: `sum` is read and written under `lock`.
private final class Counter: @unchecked Sendable {
    private let lock = Lock()
    private var sum = 0

    var count: Int { lock.withLock { sum } }

    func add(_ number: Int) { lock.withLock { sum += number } }
}
