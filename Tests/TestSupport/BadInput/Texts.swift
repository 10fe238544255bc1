/// Texts that come back as they were sent, or not at all.
package enum Texts {
    /// Unusual, and to be kept byte for byte.
    package static let unusual: [String] = [
        "é", "e\u{301}", "ﬁ", "Å", "\u{212B}", "한", "\u{1112}\u{1161}\u{11AB}", "שלום", "مرحبا بالعالم", "\u{202E}abc\u{202C}",
        "a\u{200D}b",
        "👩‍👩‍👧‍👦", "🏳️‍🌈", "𐍈𝔘𝕟𝕚", "\u{10FFFF}", "\u{FFFE}\u{FFFF}", "\u{FEFF}bom", "a\u{0}b", "\u{1}\u{1F}\u{7F}\u{85}", "\"\\/\u{8}\u{C}\n\r\t",
        "\u{2028}\u{2029}", "z" + String(repeating: "\u{301}", count: 50), "<script>&amp;%00%2e", "\r\nX-Injected: 1", " padded ",
    ]

    /// White space of many scripts, which is no text.
    package static let blank = [" ", "\t\r\n", "\u{A0}", "\u{2003}\u{3000}", "\u{2028}", "\u{85}"]
}
