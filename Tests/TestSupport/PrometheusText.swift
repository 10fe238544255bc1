/// Metrics as Prometheus would read them: a reader of the text exposition format 0.0.4 that shares no code with what writes it, and
/// refuses what the format does not allow.
package struct PrometheusText {
    package struct Sample: Equatable {
        package let name: String
        package let labels: [String: String]
        package let value: Double
    }

    package struct Family {
        package var help: String?
        package var type: String
        package var samples: [Sample] = []
    }

    package struct Malformed: Error {
        let line: String
        let reason: String
    }

    package private(set) var families: [String: Family] = [:]

    package init(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        guard Array(text.utf8) == bytes else { throw Malformed(line: "", reason: "is not UTF-8") }
        guard text.isEmpty || text.utf8.last == 0x0A else { throw Malformed(line: "", reason: "the last line does not end") }
        var current = ""
        var help: (name: String, text: String)?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init) {
            func refuse(_ reason: String) -> Malformed { Malformed(line: line, reason: reason) }
            if line.hasPrefix("# HELP ") {
                let parts = line.dropFirst(7).split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, help == nil else { throw refuse("a help that is not followed by its type") }
                help = (String(parts[0]), try unescape(parts[1], quotes: false))
            } else if line.hasPrefix("# TYPE ") {
                let parts = line.dropFirst(7).split(separator: " ").map(String.init)
                guard parts.count == 2, ["counter", "gauge", "histogram"].contains(parts[1]) else { throw refuse("no type") }
                current = parts[0]
                guard Self.isName(current, colon: true) else { throw refuse("no name") }
                guard families[current] == nil else { throw refuse("the name comes twice") }
                guard help == nil || help!.name == current else { throw refuse("the help is of another name") }
                families[current] = Family(help: help?.text, type: parts[1])
                help = nil
            } else {
                guard help == nil else { throw refuse("a help without a type") }
                let sample = try Self.sample(line)
                let suffixes = families[current]?.type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
                guard suffixes.contains(where: { current + $0 == sample.name }) else { throw refuse("a sample of no family") }
                let isKnown = families[current]!.samples.contains { $0.name == sample.name && $0.labels == sample.labels }
                guard !isKnown else { throw refuse("the sample comes twice") }
                families[current]!.samples.append(sample)
            }
        }
        for (name, family) in families where family.type == "histogram" { try Self.check(name, family) }
        for (name, family) in families where family.type == "counter" {
            guard family.samples.allSatisfy({ $0.value >= 0 }) else { throw Malformed(line: name, reason: "a counter below 0") }
        }
    }

    /// The value of the one sample under this name that has these labels, among others perhaps.
    package func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        let found = samples(name, labels)
        return found.count == 1 ? found[0].value : nil
    }

    /// The samples under this name that have these labels, among others perhaps.
    package func samples(_ name: String, _ labels: [String: String] = [:]) -> [Sample] {
        families.values.flatMap(\.samples).filter { sample in
            sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
        }
    }

    // MARK: A line

    private static func sample(_ line: String) throws -> Sample {
        func refuse(_ reason: String) -> Malformed { Malformed(line: line, reason: reason) }
        var rest = line[...]
        let name = String(rest.prefix { $0 != "{" && $0 != " " })
        guard isName(name, colon: true) else { throw refuse("no name") }
        rest = rest.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            repeat {
                rest = rest.dropFirst()
                let label = String(rest.prefix { $0 != "=" })
                guard isName(label, colon: false), labels[label] == nil else { throw refuse("no label: \(label)") }
                rest = rest.dropFirst(label.count + 1)
                guard rest.first == "\"" else { throw refuse("a value without quotes") }
                rest = rest.dropFirst()
                var raw = ""
                while let character = rest.first, character != "\"" {
                    raw.append(character)
                    rest = rest.dropFirst()
                    guard character == "\\", let next = rest.first else { continue }
                    raw.append(next)
                    rest = rest.dropFirst()
                }
                guard rest.first == "\"" else { throw refuse("a value that does not end") }
                rest = rest.dropFirst()
                labels[label] = try unescape(raw[...], quotes: true)
            } while rest.first == ","
            guard rest.first == "}" else { throw refuse("labels that do not end") }
            rest = rest.dropFirst()
        }
        guard rest.first == " " else { throw refuse("no space before the value") }
        return Sample(name: name, labels: labels, value: try number(rest.dropFirst(), line))
    }

    private static func number(_ text: Substring, _ line: String) throws -> Double {
        switch text {
        case "+Inf": return .infinity
        case "-Inf": return -.infinity
        case "NaN": return .nan
        default:
            guard text.allSatisfy({ "0123456789+-.e".contains($0) }), let value = Double(text) else {
                throw Malformed(line: line, reason: "no number")
            }
            return value
        }
    }

    private static func isName(_ text: String, colon: Bool) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_": true
            case ":": colon
            default: false
            }
        }
    }

    // MARK: Histograms

    private static func check(_ name: String, _ family: Family) throws {
        func refuse(_ reason: String) -> Malformed { Malformed(line: name, reason: reason) }
        var series: [[String: String]: [Sample]] = [:]
        for sample in family.samples { series[sample.labels.filter { $0.key != "le" }, default: []].append(sample) }
        for samples in series.values {
            let buckets = samples.filter { $0.name == name + "_bucket" }
            let limits = try buckets.map { try number(($0.labels["le"] ?? "")[...], name) }
            guard let total = buckets.last?.value, limits.last == .infinity else { throw refuse("no bucket +Inf at the end") }
            guard zip(limits, limits.dropFirst()).allSatisfy({ $0 < $1 }) else { throw refuse("limits that do not ascend") }
            guard zip(buckets, buckets.dropFirst()).allSatisfy({ $0.value <= $1.value }) else { throw refuse("buckets are not cumulative") }
            guard samples.filter({ $0.name == name + "_count" }).map(\.value) == [total] else { throw refuse("_count is not +Inf's") }
            guard samples.count(where: { $0.name == name + "_sum" }) == 1 else { throw refuse("not one _sum") }
        }
    }
}

private func unescape(_ text: Substring, quotes: Bool) throws -> String {
    var result = ""
    var rest = text
    while let character = rest.popFirst() {
        guard character == "\\" else {
            result.append(character)
            continue
        }
        switch rest.popFirst() {
        case "\\": result.append("\\")
        case "n": result.append("\n")
        case "\"" where quotes: result.append("\"")
        default: throw PrometheusText.Malformed(line: String(text), reason: "an escape that is none")
        }
    }
    return result
}
