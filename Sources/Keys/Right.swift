/// What a key may do. Each right includes those before it.
package enum Right: String, Sendable, CaseIterable, Comparable {
    /// See and search.
    case read
    /// Change what libraries hold, and the libraries.
    case write
    /// What concerns the server's data as a whole.
    case admin

    package static func < (left: Right, right: Right) -> Bool {
        allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
    }
}
