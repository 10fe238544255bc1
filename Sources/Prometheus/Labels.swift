/// What tells the series of one name apart: names with values, in the order in which they are written.
package typealias Labels = [(name: String, value: String)]

/// The form of names in the text exposition format.
enum Name {
    /// A name of a metric: letters, digits, `_` and `:`, no digit first. Every other character becomes `_`.
    static func metric(_ text: String) -> String { sanitized(text, allowingColon: true) }

    /// Labels under which a series can be written: their names in form, each once, none of them `le`, which the buckets of a histogram have.
    static func labels(_ labels: [(String, String)]) -> Labels {
        var result: Labels = []
        for (name, value) in labels {
            var name = sanitized(name, allowingColon: false)
            if name == "le" { name = "le_" }
            if !result.contains(where: { $0.name == name }) { result.append((name, value)) }
        }
        return result
    }

    private static func sanitized(_ text: String, allowingColon: Bool) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": result.append(scalar)
            case "0"..."9":
                if result.isEmpty { result.append("_") }
                result.append(scalar)
            case ":" where allowingColon: result.append(scalar)
            default: result.append("_")
            }
        }
        return result.isEmpty ? "_" : String(result)
    }
}
