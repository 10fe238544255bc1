package import Database
import HTTP
package import JSON

/// Reads the filter language: docs/search.md has it as a table. Every problem is noted at its place.
extension JSONValue {
    package func filter() -> Filter? {
        var reader = FilterReader()
        return reader.filter(self, depth: 1)
    }
}

private struct FilterReader {
    private var conditions = 0

    /// An object: everything in it has to hold.
    mutating func filter(_ value: JSONValue, depth: Int) -> Filter? {
        guard depth <= Limits.maxFilterDepth else {
            value.note(.tooLong, "filters may be nested \(Limits.maxFilterDepth) deep")
            return nil
        }
        var parts: [Filter?] = []
        // What `object` reads is read before it returns.
        withoutActuallyEscaping({ (name: String, member: JSONValue) in parts.append(self.part(name, member, depth)) }) { read in
            value.object { $0.rest(read) }
        }
        if parts.isEmpty, value.type == .object { value.note(.tooShort, "must have a condition") }
        return Self.all(parts)
    }

    private static func all(_ parts: [Filter?]) -> Filter? {
        let known = parts.compactMap { $0 }
        guard !known.isEmpty, known.count == parts.count else { return nil }
        return known.count == 1 ? known[0] : .all(known)
    }

    private mutating func part(_ name: String, _ value: JSONValue, _ depth: Int) -> Filter? {
        switch name {
        case "$and": return filters(value, depth).map { .all($0) }
        case "$or": return filters(value, depth).map { .any($0) }
        case "$not": return filter(value, depth: depth + 1).map { .not($0) }
        default:
            if name.hasPrefix("$") {
                value.note(.unknownValue, "unknown operator; known here: '$and', '$or', '$not', or the name of a field")
                return nil
            }
            guard let field = FilterField(name: name) else {
                value.note(.unknownField, "unknown field; known: \(FilterField.known)")
                return nil
            }
            return condition(field, value)
        }
    }

    private mutating func filters(_ value: JSONValue, _ depth: Int) -> [Filter]? {
        var parts: [Filter?] = []
        let range = 1...Limits.maxFilterConditions
        guard value.array(count: range, { part in parts.append(self.filter(part, depth: depth + 1)) }) != nil else { return nil }
        let known = parts.compactMap { $0 }
        return known.count == parts.count ? known : nil
    }

    // MARK: Conditions

    private mutating func condition(_ field: FilterField, _ value: JSONValue) -> Filter? {
        guard value.type == .object else {
            guard count(value) else { return nil }
            return value.filterValue(of: field).map { .equals(field, $0) }
        }
        var parts: [Filter?] = []
        var bounds = Bounds()
        var members = 0
        value.object { object in
            object.rest { name, operand in
                members += 1
                guard self.count(operand) else { return parts.append(nil) }
                if let bound = Bounds.Side(rawValue: name) {
                    if !bounds.take(bound, operand, of: field) { parts.append(nil) }
                } else {
                    parts.append(self.condition(field, name, operand))
                }
            }
        }
        if members == 0 { value.note(.tooShort, "must have an operator") }
        if let range = bounds.range(notingAt: value) { parts.append(.condition(field, .isWithin(range))) }
        return Self.all(parts)
    }

    private mutating func count(_ value: JSONValue) -> Bool {
        conditions += 1
        if conditions == Limits.maxFilterConditions + 1 {
            value.note(.tooLong, "a filter may have \(Limits.maxFilterConditions) conditions")
        }
        return conditions <= Limits.maxFilterConditions
    }

    private func condition(_ field: FilterField, _ name: String, _ operand: JSONValue) -> Filter? {
        switch name {
        case "$eq": return operand.filterValue(of: field).map { .equals(field, $0) }
        case "$ne": return operand.filterValue(of: field).map { .not(.equals(field, $0)) }
        case "$in": return operand.filterValues(of: field).map { .condition(field, .isAny(of: $0)) }
        case "$nin": return operand.filterValues(of: field).map { .not(.condition(field, .isAny(of: $0))) }
        case "$exists": return operand.bool().map { $0 ? .condition(field, .exists) : .not(.condition(field, .exists)) }
        case "$contains" where field.hasContent:
            return operand.filterValue(of: field).flatMap { value in
                guard value != .null else {
                    operand.note(.wrongType, "null is in nothing")
                    return nil
                }
                return .condition(field, .contains(value))
            }
        case "$contains":
            operand.note(.unknownValue, "'\(field.name)' is neither a string nor a list")
            return nil
        default:
            operand.note(
                .unknownValue, "unknown operator; known: '$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$exists', '$contains'")
            return nil
        }
    }
}

/// The bounds that one object has for one field.
private struct Bounds {
    enum Side: String {
        case greater = "$gt"
        case greaterOrEqual = "$gte"
        case less = "$lt"
        case lessOrEqual = "$lte"

        var isLower: Bool { self == .greater || self == .greaterOrEqual }
        var isIncluded: Bool { self == .greaterOrEqual || self == .lessOrEqual }
    }

    private var lower: (value: FilterValue, isIncluded: Bool)?
    private var upper: (value: FilterValue, isIncluded: Bool)?

    /// False after a problem.
    mutating func take(_ side: Side, _ operand: JSONValue, of field: FilterField) -> Bool {
        guard field.hasOrder else {
            operand.note(.unknownValue, "'\(field.name)' has no order")
            return false
        }
        guard let value = operand.filterValue(of: field) else { return false }
        switch value {
        case .null, .bool:
            operand.note(.wrongType, "expected a number or a string")
            return false
        case .number, .string: break
        }
        guard (side.isLower ? lower : upper) == nil else {
            operand.note(.unknownValue, "there are two \(side.isLower ? "lower" : "upper") bounds")
            return false
        }
        if side.isLower { lower = (value, side.isIncluded) } else { upper = (value, side.isIncluded) }
        return true
    }

    func range(notingAt value: JSONValue) -> FilterRange? {
        switch (lower?.value ?? upper?.value, upper?.value ?? lower?.value) {
        case (nil, _), (_, nil): return nil
        case (.number, .number): return FilterRange(.numbers(lower: bound(lower), upper: bound(upper)))
        case (.string, .string): return FilterRange(.strings(lower: bound(lower), upper: bound(upper)))
        default:
            value.note(.wrongType, "one bound is a number, the other a string")
            return nil
        }
    }

    private func bound(_ side: (value: FilterValue, isIncluded: Bool)?) -> FilterRange.Bound<Double>? {
        guard case (.number(let number), let isIncluded)? = side else { return nil }
        return FilterRange.Bound(number, isIncluded: isIncluded)
    }

    private func bound(_ side: (value: FilterValue, isIncluded: Bool)?) -> FilterRange.Bound<ExactText>? {
        guard case (.string(let text), let isIncluded)? = side else { return nil }
        return FilterRange.Bound(text, isIncluded: isIncluded)
    }
}

extension FilterField {
    private static let named: [(name: String, field: FilterField)] = [
        ("title", .title), ("author", .author), ("document_type", .documentType), ("source_url", .sourceURL), ("tags", .tags),
        ("created_at", .createdAt), ("page_number", .pageNumber), ("chunk_index", .chunkIndex), ("document_id", .documentID),
    ]
    private static let customPrefix = "custom."

    static let known = named.map { "'\($0.name)'" }.joined(separator: ", ") + ", 'custom.NAME'"

    init?(name: String) {
        if let field = Self.named.first(where: { $0.name == name })?.field {
            self = field
        } else if name.hasPrefix(Self.customPrefix), CustomFields.isValid(name: String(name.dropFirst(Self.customPrefix.count))) {
            self = .custom(String(name.dropFirst(Self.customPrefix.count)))
        } else {
            return nil
        }
    }

    var name: String {
        if case .custom(let name) = self { return Self.customPrefix + name }
        return Self.named.first { $0.field == self }!.name
    }

    /// Whether something can be in it: a substring or an element.
    fileprivate var hasContent: Bool {
        switch self {
        case .title, .author, .documentType, .sourceURL, .tags, .custom: true
        case .createdAt, .pageNumber, .chunkIndex, .documentID: false
        }
    }

    fileprivate var hasOrder: Bool { self != .documentID && self != .tags }
}

extension JSONValue {
    /// A value that the field can have, or null.
    fileprivate func filterValue(of field: FilterField) -> FilterValue? {
        if type == .null { return .null }
        switch field {
        case .title, .author, .documentType, .sourceURL, .tags:
            return string().map { .string(ExactText($0)) }
        case .pageNumber, .chunkIndex:
            return exactNumber().map { .number($0) }
        case .createdAt:
            guard let text = string() else { return nil }
            guard let time = Timestamp(text) else {
                note(.unknownValue, "must be a date or a time of RFC 3339, like 2026-11-22T09:30:00Z")
                return nil
            }
            return .number(Double(time.milliseconds))
        case .documentID:
            let id: DocumentID? = identifier()
            return id.map { .string(ExactText($0.description)) }
        case .custom:
            switch type {
            case .boolean: return bool().map { .bool($0) }
            case .number: return exactNumber().map { .number($0) }
            case .string: return string().map { .string(ExactText($0)) }
            case .null, .array, .object:
                note(.wrongType, "expected a string, a number, a boolean or null, got \(type.rawValue)")
                return nil
            }
        }
    }

    fileprivate func filterValues(of field: FilterField) -> [FilterValue]? {
        var count = 0
        let values = array(count: 1...Limits.maxFilterValues) { element in
            count += 1
            return element.filterValue(of: field)
        }
        return values.flatMap { $0.count == count ? $0 : nil }
    }
}

extension QueryReader {
    /// A filter as JSON in a query parameter, checked like one in a body; with the text, for the link to the next page.
    mutating func filter() throws -> (filter: Filter, text: String)? {
        guard let text = string("filter") else { return nil }
        let reader = JSONReader(try JSONDocument(parsing: Array(text.utf8)), at: [.key("query"), .key("filter")])
        let filter = reader.root.filter()
        try reader.finish()
        return filter.map { ($0, text) }
    }
}
