import TestSupport
import Testing

@testable import TextSearch

@Suite("Text index")
struct TextIndexTests {
    /// Checks what was found against all scores there are: as many as there should be, none better left out, each with its score.
    private func check(_ found: [ScoredSlot], _ scores: [UInt32: Double], count: Int, _ comment: Comment) {
        #expect(found.count == min(count, scores.count), comment)
        #expect(Set(found.map(\.slot)).count == found.count, comment)
        for match in found {
            guard let score = scores[match.slot] else {
                Issue.record("slot \(match.slot) does not match: \(comment)")
                continue
            }
            #expect(abs(Double(match.score) - score) <= 1e-5 * score, comment)
        }
        #expect(zip(found, found.dropFirst()).allSatisfy { $0.score > $1.score || $0.score == $1.score && $0.slot < $1.slot }, comment)
        let slots = Set(found.map(\.slot))
        if let worst = found.last {
            for (slot, score) in scores where !slots.contains(slot) { #expect(score <= Double(worst.score) * (1 + 1e-5), comment) }
        }
    }

    @Test(
        "ranks as BM25 says through random changes",
        arguments: [
            TextOptions(), TextOptions(k1: 0, b: 0), TextOptions(k1: 2.5, b: 1, stopWords: false, stemmer: false),
            TextOptions(k1: 10, b: 0.3),
        ])
    func agreesWithModel(_ options: TextOptions) {
        let seed: UInt64 = 61
        var texts = RandomTexts(seed: seed)
        let index = TextIndex(options)
        var model = NaiveIndex(options)
        var (matches, eligibleMatches) = (0, 0)
        for step in 0..<4000 {
            // Up to 900 slots, so that common words have lists of several blocks; then down again, then turnover.
            let slot = UInt32.random(in: 0..<900, using: &texts.random)
            if let text = model.texts[slot] {
                if step % 3 == 0 || (1800..<2800).contains(step) {
                    #expect(index.remove(text, at: slot), "seed \(seed), step \(step)")
                    model.remove(at: slot)
                }
            } else if !(1800..<2800).contains(step) {
                let text = texts.text()
                index.insert(text, at: slot)
                model.insert(text, at: slot)
            }
            #expect(index.count == model.texts.count)
            guard step % 40 == 0 else { continue }

            let comment: Comment = "seed \(seed), step \(step)"
            let text = [texts.word(), texts.word(), texts.word(), "nowhere"].joined(separator: " ")
            let words = Analyzer(options).terms(of: text).map(\.text)
            let scores = model.scores(of: words)
            let count = [1, 10, 2000][step / 40 % 3]
            check(index.search(text, count: count).slots, scores, count: count, comment)
            matches += scores.count

            // A few eligible slots, and many.
            for share in [40, 2] {
                let eligible = Set((0..<1200 as Range<UInt32>).filter { _ in Int.random(in: 0..<share, using: &texts.random) == 0 })
                let scores = model.scores(of: words, among: eligible)
                check(index.search(text, count: count, among: SlotSet(eligible)).slots, scores, count: count, comment)
                eligibleMatches += scores.count
            }
        }
        #expect(matches > 5000 && eligibleMatches > 1000)
        for (slot, text) in model.texts { #expect(index.remove(text, at: slot)) }
        #expect(index.count == 0 && index.termCount == 0 && index.totalLength == 0 && index.store.pool.bytesInUse == 0)
        #expect(index.search("fox").slots.isEmpty)
    }

    @Test("finds exactly the texts that have all phrases", arguments: [TextOptions(), TextOptions(stopWords: false, stemmer: false)])
    func findsPhrases(_ options: TextOptions) {
        let seed: UInt64 = 62
        var texts = RandomTexts(seed: seed)
        let index = TextIndex(options)
        var model = NaiveIndex(options)
        for slot in 0..<1500 as Range<UInt32> {
            let text = texts.text(0...20)
            index.insert(text, at: slot)
            model.insert(text, at: slot)
        }
        var (matches, phrasesTried) = (0, 0)
        for step in 0..<300 {
            let phrases = (0..<1 + step % 2).map { _ in texts.text(1...3) }
            let bare = step % 3 == 0 ? texts.text(1...2) : ""
            let eligible = step % 5 == 0 ? Set((0..<1500 as Range<UInt32>).filter { $0 % 3 == 0 }) : nil
            let query = bare + phrases.map { " \"\($0)\"" }.joined()
            let analyzer = Analyzer(options)
            let words = ([bare] + phrases).flatMap { analyzer.terms(of: $0).map(\.text) }
            let terms = phrases.map(analyzer.terms).filter { !$0.isEmpty }
            let scores = model.scores(of: words, phrases: terms, among: eligible)

            let found = index.search(query, count: 20, among: eligible.map { SlotSet($0) })

            check(found.slots, scores, count: 20, "seed \(seed), query \(query)")
            matches += scores.count
            phrasesTried += terms.count { $0.count > 1 }
        }
        #expect(matches > 1000 && phrasesTried > 100)
    }

    @Test("lets a stop word in a phrase stand for any word")
    func passesStopWords() {
        let index = TextIndex()
        for (slot, text) in ["bank of england", "bank in england", "bank england", "england of bank", "bank of new england"].enumerated() {
            index.insert(text, at: UInt32(slot))
        }

        #expect(Set(index.search("\"bank of england\"").slots.map(\.slot)) == [0, 1])
        #expect(Set(index.search("\"the bank england of\"").slots.map(\.slot)) == [2])
        #expect(Set(index.search("\"of the\" bank").slots.map(\.slot)) == [0, 1, 2, 3, 4])
        #expect(index.search("\"bank of scotland\" england").slots.isEmpty)
        #expect(index.search("of the").slots.isEmpty)
    }

    @Test("gives scores and ranks of single slots as a search of all does")
    func givesStandings() {
        let seed: UInt64 = 63
        var texts = RandomTexts(seed: seed)
        let index = TextIndex()
        for slot in 0..<800 as Range<UInt32> { index.insert(texts.text(), at: slot) }
        for words in ["fox river", "zebra", "\"running fox\" stone", "nowhere"] {
            let query = KeywordQuery(words, analyzer: index.analyzer)
            let all = index.search(query, count: 1000, options: TextOptions()).slots
            let slots = (0..<30).map { _ in UInt32.random(in: 0..<900, using: &texts.random) }

            let scores = index.scores(of: slots, query, options: TextOptions())
            let standings = index.standings(of: slots, query, options: TextOptions())
            let eligible = SlotSet((0..<900).filter { $0 % 2 == 0 })
            let evenStandings = index.standings(of: slots, query, options: TextOptions(), among: eligible)
            let even = all.filter { $0.slot % 2 == 0 }

            for (number, slot) in slots.enumerated() {
                let rank = all.firstIndex { $0.slot == slot }
                #expect(scores[number] == rank.map { all[$0].score })
                #expect(standings[number] == rank.map { TextStanding(score: all[$0].score, rank: $0 + 1) })
                #expect(evenStandings[number]?.rank == even.firstIndex { $0.slot == slot }.map { $0 + 1 })
            }
            #expect(words == "nowhere" || all.count > 10)
        }
    }

    @Test("does not grow by turnover, and forgets terms")
    func keepsItsSize() {
        let index = TextIndex()
        func text(_ number: Int) -> String { "common word\(number % 5000) other\(number % 777) common rare\(number)" }
        for number in 0..<2000 { index.insert(text(number), at: UInt32(number)) }
        for number in 2000..<12_000 {
            index.remove(text(number - 2000), at: UInt32(number % 2000))
            index.insert(text(number), at: UInt32(number % 2000))
        }
        let (size, terms) = (index.sizeInBytes, index.termCount)

        for number in 12_000..<52_000 {
            index.remove(text(number - 2000), at: UInt32(number % 2000))
            index.insert(text(number), at: UInt32(number % 2000))
        }

        #expect(index.sizeInBytes <= size * 11 / 10)
        #expect(index.termCount == terms)
        #expect(index.search("rare51999").slots.map(\.slot) == [UInt32(51_999 % 2000)] && index.search("rare5").slots.isEmpty)
    }

    @Test("takes texts of any length")
    func takesLongTexts() {
        let index = TextIndex()
        let long = (0..<60_000).map { "w\($0 % 50)" }.joined(separator: " ")
        let repeated = String(repeating: "again ", count: 70_000)
        for slot in 0..<20 as Range<UInt32> { index.insert(slot % 2 == 0 ? long : repeated, at: slot) }
        index.insert("short w7", at: 20)
        index.insert("", at: 21)

        #expect(index.search("w7", count: 30).slots.count == 11)
        #expect(index.search("\"w7 w8 w9\"", count: 30).slots.count == 10)
        #expect(index.search("\"w7 w9\"").slots.isEmpty && index.search("again", count: 30).slots.count == 10)
        #expect(index.lengths[1] == 65_535)

        for slot in (0..<20 as Range<UInt32>).reversed() { #expect(index.remove(slot % 2 == 0 ? long : repeated, at: slot)) }
        #expect(index.remove("", at: 21))
        #expect(index.search("w7").slots.map(\.slot) == [20] && index.termCount == 2)
    }

    @Test("says when the text that is removed is not the one it has, and frees the slot")
    func noticesAnotherText() {
        let index = TextIndex()
        index.insert("red fox", at: 0)
        index.insert("blue fox", at: 1)

        #expect(!index.remove("red hen", at: 0))
        #expect(!index.remove("red fox", at: 1))

        // What is left of them is never found.
        #expect(index.search("fox red blue").slots.isEmpty && index.count == 0)
    }

    @Test("asks for nothing and finds nothing")
    func findsNothing() {
        let index = TextIndex()
        #expect(index.search("fox") == TextMatches(slots: [], scored: 0))
        index.insert("fox", at: 3)

        #expect(index.search("fox", count: 0).slots.isEmpty)
        #expect(index.search("").slots.isEmpty && index.search("fox", among: []).slots.isEmpty)
        #expect(index.search("fox", among: [4]).slots.isEmpty && index.search("fox", among: [3, 4]).slots.map(\.slot) == [3])
        #expect(index.search("fox").scored == 1)
    }

    @Test("counts a word of the query as often as it is there")
    func countsRepeatedWords() {
        let index = TextIndex()
        index.insert("fox", at: 0)
        index.insert("hen", at: 1)

        let (once, twice) = (index.search("fox hen").slots, index.search("fox hen hen").slots)

        #expect(once.map(\.slot) == [0, 1] && once[0].score == once[1].score)
        #expect(twice.map(\.slot) == [1, 0] && twice[0].score == 2 * once[0].score)
    }
}
