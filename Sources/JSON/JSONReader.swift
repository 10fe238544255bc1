import CSimdJSON

/// Reads a JSON body into values and collects every problem with its location, so that a client sees all of them at once.
///
/// The methods return `nil` after noting a problem; `finish` throws if there was any, so a body is used only when it is right as a whole.
/// ```swift
/// let reader = JSONReader(document)
/// var name: String?
/// reader.readObject { object in
///     name = object.required("name") { $0.string(length: 1...255) }
/// }
/// try reader.finish()
/// ```
package final class JSONReader {
    package static let maxProblems = 20
    /// Offending input is quoted no further than this.
    static let maxQuotedScalars = 80

    private let document: JSONDocument
    private var path: [JSONPathComponent]
    private var problems: [JSONProblem] = []

    /// - Parameter path: where the document stands in the request.
    package init(_ document: JSONDocument, at path: [JSONPathComponent] = [.key("body")]) {
        self.document = document
        self.path = path
    }

    /// Reads the document's top level, which must be an object.
    package func readObject(_ body: (inout JSONObject) -> Void) {
        JSONValue(reader: self, value: document.root).object(body)
    }

    /// Reads the document's top level, of any type.
    package var root: JSONValue { JSONValue(reader: self, value: document.root) }

    /// - Throws: everything that was noted.
    package func finish() throws(JSONProblems) {
        if !problems.isEmpty { throw JSONProblems(problems) }
    }

    func note(_ kind: JSONProblem.Kind, _ message: String) {
        guard problems.count < Self.maxProblems else { return }
        problems.append(JSONProblem(location: path, message: message, kind: kind))
    }

    func descend<Result>(_ component: JSONPathComponent, _ body: () -> Result) -> Result {
        path.append(component)
        defer { path.removeLast() }
        return body()
    }

    /// Another reader at the same place, whose problems are its own.
    func apart() -> JSONReader { JSONReader(document, at: path) }

    package static func quoted(_ text: String) -> String { "'\(shortened(text))'" }

    /// Offending input as it may be shown. Scalars, not characters, because one character can have any number of them.
    package static func shortened(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard scalars.count > maxQuotedScalars else { return text }
        return String(String.UnicodeScalarView(scalars.prefix(maxQuotedScalars))) + "…"
    }
}
