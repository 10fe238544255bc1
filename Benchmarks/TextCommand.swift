import ArgumentParser
import Glibc
import TextSearch

/// Keyword search: what the index of texts costs to make and to keep, and how long a query takes.
struct Text: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures keyword search over a file of texts. Benchmarks/text-check makes the files and checks the answers.")

    @Option(help: "A file with one text a line.")
    var texts: String

    @Option(help: "A file with one query a line.")
    var queries: String

    @Option(help: "The number of results a query asks for.")
    var count = 10

    @Option(help: "How often all queries are asked.")
    var rounds = 20

    @Option(help: "BM25's k1.")
    var k1 = 1.2

    @Option(help: "BM25's b.")
    var b = 0.75

    @Flag(inversion: .prefixedNo, help: "Leave stop words out.")
    var stopWords = true

    @Flag(inversion: .prefixedNo, help: "Take words by their stems.")
    var stemmer = true

    @Option(help: "Write what was found to this file, for each query a line of slot:score.")
    var answers: String?

    @Option(help: "Write the terms of each text and then of each query to this file, a line each.")
    var terms: String?

    func validate() throws {
        guard count > 0, rounds > 0, TextOptions.k1Range.contains(k1), TextOptions.bRange.contains(b) else {
            throw ValidationError("--count and --rounds are positive; --k1 is from 0 to 10 and --b from 0 to 1.")
        }
    }

    func run() throws {
        let options = TextOptions(k1: k1, b: b, stopWords: stopWords, stemmer: stemmer)
        let (texts, queries) = (try textLines(of: texts), try textLines(of: queries))
        if let terms {
            try write((texts + queries).map { Analyzer(options).terms(of: $0).map(\.text).joined(separator: " ") }, to: terms)
        }
        let textBytes = texts.reduce(0) { $0 + $1.utf8.count }
        report("machine", Machine.processorName)
        report("texts", "\(texts.count), \(textBytes) bytes; \(queries.count) queries")
        let joined = texts.joined(separator: "\n")
        for (name, stemmer) in [("analysis, without stems", false), ("analysis, with stems", true)] {
            let analyzer = Analyzer(TextOptions(stopWords: stopWords, stemmer: stemmer))
            let seconds = fastest(of: 5) { precondition(analyzer.countTerms(of: joined) > 0, "the texts have terms") }
            report(name, "\(rounded(Double(textBytes) / seconds / 1e6, 0)) MB/s")
        }

        let memoryBefore = try Machine.anonymousBytes()
        let index = TextIndex(options)
        let building = seconds {
            for (slot, text) in texts.enumerated() { index.insert(text, at: UInt32(slot)) }
        }
        let memory = try Machine.anonymousBytes() - memoryBefore
        report("built in", "\(rounded(building, 2)) s, \(rounded(Double(texts.count) / building, 0)) texts/s")
        report(
            "memory",
            "\(index.sizeInBytes) bytes, \(rounded(Double(index.sizeInBytes) / Double(texts.count), 1)) a text; \(memory) anonymous")
        report("terms", "\(index.termCount)")

        try measure(index, queries, options)
        try measureCoding(index, options, count: texts.count)
        measureChanges(index, texts)
    }

    private func measure(_ index: TextIndex, _ queries: [String], _ options: TextOptions) throws {
        var times: [Duration] = []
        var found: [String] = []
        var scored = 0
        for round in 0...rounds {
            for query in queries {
                var matches = TextMatches?.none
                let time = ContinuousClock().measure {
                    matches = index.search(KeywordQuery(query, analyzer: index.analyzer), count: count, options: options)
                }
                if round > 0 {
                    times.append(time)
                } else {
                    scored += matches!.scored
                    found.append(matches!.slots.map { "\($0.slot):\($0.score)" }.joined(separator: " "))
                }
            }
        }
        if let answers { try write(found, to: answers) }
        times.sort()
        let total = times.reduce(Duration.zero, +) / .seconds(1)
        report(
            "one query",
            "\(rounded(times[times.count / 2] / .microseconds(1), 1)) µs median, \(rounded(times[times.count * 99 / 100] / .microseconds(1), 1)) µs "
                + "at 99 %, \(count) results")
        report(
            "queries", "\(rounded(Double(times.count) / total, 0)) a second, one thread; \(scored / queries.count) postings scored by each")
    }

    private func measureCoding(_ index: TextIndex, _ options: TextOptions, count: Int) throws {
        let ordinals = (0..<UInt32(count)).map { $0 }
        var bytes: [UInt8] = []
        let encoding = fastest(of: 3) { bytes = index.encoded(slotOrdinals: ordinals) }
        let copying = fastest(of: 3) { _ = index.copy() }
        let decoding = try fastest(of: 3) { _ = try TextIndex(decoding: bytes, options: options) }
        report("encoded in", "\(rounded(encoding * 1e3, 1)) ms, \(bytes.count) bytes")
        report("copied in", "\(rounded(copying * 1e3, 1)) ms")
        report("decoded in", "\(rounded(decoding * 1e3, 1)) ms")
    }

    /// Every seventh text goes out and comes in again, so all changes are in the middle of lists.
    private func measureChanges(_ index: TextIndex, _ texts: [String]) {
        let slots = stride(from: 0, to: texts.count, by: 7)
        let removing = seconds { for slot in slots { index.remove(texts[slot], at: UInt32(slot)) } }
        let inserting = seconds { for slot in slots { index.insert(texts[slot], at: UInt32(slot)) } }
        let changes = Double((texts.count + 6) / 7)
        report("one removal", "\(rounded(removing * 1e6 / changes, 1)) µs")
        report("one insertion", "\(rounded(inserting * 1e6 / changes, 1)) µs, into the middle")
    }

    private func fastest(of times: Int, _ body: () throws -> Void) rethrows -> Double {
        try (0..<times).map { _ in try seconds(body) }.min()!
    }

    /// Of the processor, in this thread: others on the machine take none of them.
    private func seconds(_ body: () throws -> Void) rethrows -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        try body()
        return now() - start
    }

    private func write(_ lines: [String], to path: String) throws {
        guard let file = fopen(path, "w") else { throw FileProblem.unusable(path, String(cString: strerror(errno))) }
        for line in lines { fputs(line + "\n", file) }
        guard fclose(file) == 0 else { throw FileProblem.unusable(path, String(cString: strerror(errno))) }
    }
}
