import Testing

@testable import Chunking

@Suite("Sentences") struct SentenceTests {
    private func sentences(_ text: String) -> [String] {
        var scanner = SentenceScanner(text)
        var sentences: [String] = []
        while let (beginning, end) = scanner.next() {
            let utf8 = text.utf8
            let start = utf8.index(text.startIndex, offsetBy: beginning.position.utf8)
            sentences.append(String(text[start..<utf8.index(text.startIndex, offsetBy: end.utf8)]))
        }
        return sentences
    }

    @Test(
        "end at a full stop, an exclamation or a question mark before white space",
        arguments: [
            ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
            ("  One.\n\tTwo.  ", ["One.", "Two."]),
            ("Really?! Yes!!! No...  Perhaps", ["Really?!", "Yes!!!", "No...", "Perhaps"]),
            ("What? no! yes.", ["What?", "no!", "yes."]),
            ("यह एक है। यह दो है।", ["यह एक है।", "यह दो है।"]),
            ("هل هذا؟ نعم۔ لا", ["هل هذا؟", "نعم۔", "لا"]),
            ("One.Two", ["One.Two"]),
            ("", []), (" \n\n ", []), (".", ["."]), ("... ...", ["...", "..."]),
        ])
    func terminators(text: String, expected: [String]) {
        #expect(sentences(text) == expected)
    }

    @Test(
        "do not end within numbers, names of files, abbreviations and initials",
        arguments: [
            "Pi is 3.14 and e is 2.718 or so", "See example.com/a.html for more", "Use tools, e.g. a Hammer",
            "Dr. Jane Doe met Mr. and Mrs. Smith", "J. R. R. Tolkien wrote it", "The U.S. Army came", "É. Zola wrote too",
            "As in Fig. 3 and on pp. 12 to 14", "It was (cf. Smith) so", "On Jan. 5 it rained", "He said i.e. That",
            "He came at 5 p.m. and left", "Eggs, milk etc. were sold", "Well... maybe not", "Well\u{2026} maybe not",
            "1. First things first",
            "12. Twelve", "1.2. Section",
        ])
    func keepsTogether(text: String) {
        #expect(sentences(text) == [text])
    }

    @Test(
        "end behind words that only sometimes are abbreviations",
        arguments: [
            ("Did you? No. Never", ["Did you?", "No.", "Never"]), ("So do I. You do", ["So do I.", "You do"]),
            ("At 5 p.m. The train left", ["At 5 p.m.", "The train left"]), ("It was 1999. We left", ["It was 1999.", "We left"]),
            ("Eggs etc. They", ["Eggs etc.", "They"]), ("That is a figure. 3 more", ["That is a figure.", "3 more"]),
            ("Well... Then", ["Well...", "Then"]), ("Well\u{2026} Then", ["Well\u{2026}", "Then"]),
            ("An approximation.) Then", ["An approximation.)", "Then"]), ("a-b. C", ["a-b.", "C"]),
            ("Abcdefghidr. Who", ["Abcdefghidr.", "Who"]), ("日本dr. Who", ["日本dr.", "Who"]),
        ])
    func ambiguous(text: String, expected: [String]) {
        #expect(sentences(text) == expected)
    }

    @Test(
        "take the quotes and brackets with them that close behind their end",
        arguments: [
            (#""Stop!" He stopped."#, [#""Stop!""#, "He stopped."]), (#""Why?" he asked. "So.""#, [#""Why?" he asked."#, #""So.""#]),
            ("(One.) (Two.)", ["(One.)", "(Two.)"]), ("“One.” “Two.”", ["“One.”", "“Two.”"]), ("„Eins.“ „Zwei.“", ["„Eins.“", "„Zwei.“"]),
            ("**Bold.** Then `code.` Then", ["**Bold.**", "Then `code.`", "Then"]),
            ("He said “one.” and “two.” Then", ["He said “one.” and “two.”", "Then"]),
            ("One. (two)", ["One. (two)"]), ("One. ¿Dos?", ["One.", "¿Dos?"]), ("a.\"b c. D", ["a.\"b c.", "D"]),
        ])
    func closing(text: String, expected: [String]) {
        #expect(sentences(text) == expected)
    }

    @Test(
        "end without white space where ideographs have no use for it",
        arguments: [
            ("你好。我很好！你呢？", ["你好。", "我很好！", "你呢？"]), ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
            ("「はい。」と言った。", ["「はい。」", "と言った。"]), ("走る！？止まる。", ["走る！？", "止まる。"]),
            ("「え？」、と。次", ["「え？」、と。", "次"]), ("好。 好", ["好。", "好"]), ("好。“你好”", ["好。", "“你好”"]), ("一．五だ．次", ["一．", "五だ．", "次"]),
            ("１．５だ", ["１．５だ"]), ("ﾊｲ｡ﾊｲ", ["ﾊｲ｡", "ﾊｲ"]),
        ])
    func ideographic(text: String, expected: [String]) {
        #expect(sentences(text) == expected)
    }

    @Test(
        "end at empty lines, at headings and at items of lists, and not at other line ends",
        arguments: [
            ("one\ntwo", ["one\ntwo"]), ("one\n\ntwo", ["one", "two"]), ("one\r\ntwo\r\n\r\nthree", ["one\r\ntwo", "three"]),
            ("one\n \t\ntwo", ["one", "two"]), ("one\u{2029}two\u{0C}three", ["one", "two", "three"]),
            ("one\u{2028}two", ["one\u{2028}two"]),
            ("one\rtwo\r\rthree", ["one\rtwo", "three"]),
            ("# Title\ntext\n## Sub\nmore", ["# Title", "text", "## Sub", "more"]), ("a #b\n#c\n####### d", ["a #b\n#c\n####### d"]),
            ("list:\n- one\n* two\n+ three\n-four", ["list:", "- one", "* two", "+ three\n-four"]), ("# A. B", ["# A. B"]),
            ("a # b\nc", ["a # b\nc"]), ("text. # no\nmore", ["text.", "# no\nmore"]), ("#", ["#"]), ("a\n#", ["a\n#"]),
        ])
    func blocks(text: String, expected: [String]) {
        #expect(sentences(text) == expected)
    }
}
