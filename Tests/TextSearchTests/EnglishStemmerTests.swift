import Testing

@testable import TextSearch

@Suite("English stemmer")
struct EnglishStemmerTests {
    private func stem(_ word: String) -> String {
        var bytes = Array(word.utf8) + [0, 0]
        let count = bytes.withUnsafeMutableBufferPointer { EnglishStemmer.stem($0.baseAddress!, count: word.utf8.count) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    @Test(
        "takes off the endings of inflection",
        arguments: [
            // Plural and possessive: a word and its plural meet.
            "ponies poni pony poni ties tie tie tie cries cri cry cri movies movi movie movi queries queri query queri skies sky sky sky skis ski",
            "boxes box box box axes axe axe axe glasses glass caresses caress churches church caches cach cache cach heroes hero hero hero",
            "shoes shoe shoe shoe houses hous house hous trees tree cats cat days day gas gas this this gaps gap kiwis kiwi bus bus focus focus",
            "dog's dog dogs' dog boss's boss is is us us as as his his yes yes",
            // Past and participles.
            "agreed agre agree agre feed feed plastered plaster bled bled motoring motor sing sing luxuriated luxuriat luxuriate luxuriat",
            "hopping hop hoping hope hope hope falling fall fizzed fizz filing file bed bed troubling troubl trouble troubl sized size sizes size",
            "making make makes make made made deciding decid decide decid decided decid controlling control controlled control control control",
            "performed perform performing perform performs perform stared stare starred star knelt knelt kneeled kneel knitting knit",
            "proceeding proceed proceed proceed exceed exceed succeedingly succeed markedly mark seemingly seem",
            // A y after a consonant; other endings.
            "happy happi by by say say toying toy boyish boyish youth youth yyy yyy enjoyed enjoy flying fli flies fli",
            "general general generous generous generation generation quickly quickli hopeful hopeful hopefulness hopefulness rational rational",
            // Exceptions, and what is too short or not a word.
            "dying die lying lie tying tie news news howe howe atlas atlas cosmos cosmos bias bias andes andes inning inning innings inning",
            "outing outing canning canning herring herring earring earring a a is is at at o'clock o'clock x2ing x2ing straßes straßes",
        ])
    func stems(_ pairs: String) {
        let words = pairs.split(separator: " ").map(String.init)
        #expect(words.count % 2 == 0 && words.count > 10)
        for index in stride(from: 0, to: words.count, by: 2) {
            #expect(stem(words[index]) == words[index + 1], "\(words[index])")
        }
    }

    @Test("never makes a word longer, nor empty")
    func shortens() {
        let letters = Array("abeilnstuyz'".utf8)
        for number in 0..<200_000 {
            var (rest, word) = (number &* 7919, [UInt8]())
            for place in 0..<1 + number % 6 {
                // Words begin with a letter.
                word.append(letters[rest % (place == 0 ? letters.count - 1 : letters.count)])
                rest /= letters.count
            }
            let text = String(decoding: word, as: UTF8.self)
            let stemmed = stem(text)
            if stemmed.utf8.count > text.utf8.count || stemmed.isEmpty { Issue.record("\(text): \(stemmed)") }
        }
    }
}
