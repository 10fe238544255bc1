/// How many tokens a model makes of a text whose tokenizer is not here: an estimate that is rather too high.
///
/// Four ASCII letters or digits of a word are a token, begun ones count, and so does every other character but white space; one beyond
/// the Basic Multilingual Plane counts for two. English has fewer: the tokenizers of the large models take most of its words whole.
package func estimatedTokenCount(of text: Substring) -> Int {
    var tokens = 0
    var run = 0
    for scalar in text.unicodeScalars {
        if scalar.isASCIILetter || scalar.isASCIIDigit {
            if run % 4 == 0 { tokens += 1 }
            run += 1
        } else {
            run = 0
            if !scalar.isWhite { tokens += scalar.value > 0xFFFF ? 2 : 1 }
        }
    }
    return tokens
}
