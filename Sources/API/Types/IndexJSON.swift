import Database
import JSON
import VectorSearch

extension IndexConfiguration {
    /// Reads `index_type`, `index_params` and `quantization`. What is not named stays as in `current`, as far as the index that is named
    /// knows it. What cannot be read is noted, and left out.
    init(_ object: inout JSONObject, changing current: IndexConfiguration) {
        let named = object.optional("index_type") { $0.choice(of: IndexKind.self) }
        let isUnreadable = object.has("index_type") && named == nil
        let kind = named ?? current.kind
        // Of a kind that cannot be read, everything may be right.
        let parameters = object.optional("index_params") { isUnreadable ? nil : $0.indexParameters(of: kind) } ?? [:]
        let quantization = object.optional("quantization") { isUnreadable ? nil : $0.quantization(of: kind) }
        let kept = kind.quantizations.contains(current.quantization) ? current.quantization : .none
        self.init(
            kind, quantization: quantization ?? kept,
            chosen: current.chosen.filter { kind.parameters.contains($0.key) }.merging(parameters) { $1 })
    }
}

extension JSONValue {
    /// Values for parameters of an index, all of which are optional.
    ///
    /// - Parameter onlyLive: whether those that need another index are refused.
    func indexParameters(of kind: IndexKind, onlyLive: Bool = false) -> [IndexParameter: Int]? {
        let known = kind.parameters.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        var parameters: [IndexParameter: Int] = [:]
        object(
            unknownField: known.isEmpty
                ? "unknown field; '\(kind.rawValue)' has no parameters" : "unknown field; parameters of '\(kind.rawValue)': \(known)"
        ) { object in
            for parameter in kind.parameters {
                parameters[parameter] = object.optional(named: parameter.rawValue) { value in
                    guard !onlyLive || parameter.isLive else {
                        value.note(.needsRebuild, "needs the index to be built anew: POST /v1/libraries/{id}/index/rebuild")
                        return nil
                    }
                    return value.integer(in: parameter.range)
                }
            }
        }
        return parameters
    }

    fileprivate func quantization(of kind: IndexKind) -> Quantization? {
        guard let quantization = choice(of: Quantization.self) else { return nil }
        guard kind.quantizations.contains(quantization) else {
            let known = kind.quantizations.map { "'\($0.rawValue)'" }.joined(separator: ", ")
            note(.unknownValue, "'\(kind.rawValue)' does not know '\(quantization.rawValue)'; known: \(known)")
            return nil
        }
        return quantization
    }
}

extension JSONProblem.Kind {
    /// A parameter of an index that cannot change live.
    static let needsRebuild = JSONProblem.Kind(rawValue: "needs_rebuild")
}

/// The body of `POST /v1/libraries/{id}/index/rebuild`, which may be empty.
extension IndexConfiguration {
    init(_ reader: JSONReader, changing current: IndexConfiguration) throws {
        var configuration = current
        reader.readObject { configuration = IndexConfiguration(&$0, changing: current) }
        try reader.finish()
        self = configuration
    }
}

extension JSONWriter {
    /// The members that say what an index is asked to be.
    mutating func members(_ index: IndexConfiguration) {
        member("index_type", index.kind.rawValue)
        key("index_params")
        object { json in
            for parameter in index.kind.parameters {
                json.key(parameter.rawValue)
                json.value(index[parameter])
            }
        }
        member("quantization", index.quantization.rawValue)
    }

    mutating func write(_ status: IndexStatus) {
        object { json in
            json.members(status.configuration)
            json.member("active", status.statistics.active.rawValue)
            json.writeProgress(status.statistics)
            if let target = status.statistics.target, target != status.configuration {
                json.key("target")
                json.object { $0.members(target) }
            }
        }
    }

    /// `index_stats` of a library's statistics.
    mutating func writeStatistics(_ status: IndexStatus) {
        let statistics = status.statistics
        object { json in
            json.member("type", status.configuration.kind.rawValue)
            json.member("active", statistics.active.rawValue)
            json.member("quantization", statistics.quantization.rawValue)
            json.member("size", statistics.indexed + statistics.pending)
            json.member("bytes", statistics.bytes)
            json.writeProgress(statistics)
            for detail in statistics.details {
                json.key(detail.name)
                if let integer = Int(exactly: detail.value) { json.value(integer) } else { json.value(detail.value) }
            }
        }
    }

    private mutating func writeProgress(_ statistics: IndexedStatistics) {
        member("state", statistics.state.rawValue)
        member("indexed", statistics.indexed)
        member("pending", statistics.pending)
        member("progress", (statistics.progress * 10_000).rounded() / 10_000)
    }
}
