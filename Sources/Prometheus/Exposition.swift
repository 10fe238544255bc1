/// Writes metrics as Prometheus reads them: the text exposition format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
package struct Exposition {
    /// The `Content-Type` of it.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package private(set) var bytes: [UInt8] = []
    private var names: Set<String> = []

    package init() {
        bytes.reserveCapacity(1 << 15)
    }

    /// Begins what is measured under one name, which comes once. Its series follow, and nothing else in between.
    package mutating func begin(_ description: MetricDescription) {
        precondition(names.insert(description.name).inserted, "\(description.name) was written before")
        if !description.help.isEmpty {
            append("# HELP \(description.name) ")
            append(escaping: description.help, quote: false)
            append("\n")
        }
        append("# TYPE \(description.name) \(description.kind.rawValue)\n")
    }

    package mutating func sample(_ name: String, _ labels: Labels, _ value: Int) {
        begin(sample: name, labels)
        append("\(value)\n")
    }

    package mutating func sample(_ name: String, _ labels: Labels, _ value: Double) {
        begin(sample: name, labels)
        append(number: value)
        append("\n")
    }

    /// A series of a histogram.
    ///
    /// - Parameter counts: the values in each bucket alone, one more than there are limits. What is written is cumulative.
    package mutating func histogram(_ name: String, _ labels: Labels = [], limits: [Double], counts: [Int], sum: Double) {
        precondition(counts.count == limits.count + 1, "the last bucket has no limit")
        var total = 0
        for (limit, count) in zip(limits + [.infinity], counts) {
            total += count
            begin(sample: name + "_bucket", labels, limit: limit)
            append("\(total)\n")
        }
        sample(name + "_sum", labels, sum)
        // Of the same counts: the last bucket and this are equal, whatever was measured meanwhile.
        sample(name + "_count", labels, total)
    }

    /// What is measured under one name, and has one series.
    package mutating func write(_ description: MetricDescription, _ value: Int) {
        begin(description)
        sample(description.name, [], value)
    }

    package mutating func write(_ description: MetricDescription, _ value: Double) {
        begin(description)
        sample(description.name, [], value)
    }

    // MARK: Parts of a line

    private mutating func begin(sample name: String, _ labels: Labels, limit: Double? = nil) {
        append(name)
        var separator = "{"
        for (label, value) in labels {
            append("\(separator)\(label)=\"")
            append(escaping: value, quote: true)
            append("\"")
            separator = ","
        }
        if let limit {
            append("\(separator)le=\"")
            append(number: limit)
            append("\"")
            separator = ","
        }
        append(separator == "," ? "} " : " ")
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// The fewest digits that read back as the same number.
    private mutating func append(number: Double) {
        if number.isNaN {
            append("NaN")
        } else if number.isInfinite {
            append(number < 0 ? "-Inf" : "+Inf")
        } else if let integer = Int(exactly: number) {
            append("\(integer)")
        } else {
            append("\(number)")
        }
    }

    private mutating func append(escaping text: String, quote: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\"") where quote: append("\\\"")
            default: bytes.append(byte)
            }
        }
    }
}
