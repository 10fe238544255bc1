/// Who does the parts of a call that do not depend on each other: the caller's thread, and others beside it if there are any.
package protocol PartRunner: Sendable {
    /// Calls `part` once with each of 0..<count, maybe from several threads at a time; returns when all calls have returned.
    func run(_ count: Int, _ part: @escaping @Sendable (Int) -> Void)
}

/// The caller's thread does all, one part after the other.
package struct SingleThread: PartRunner {
    package init() {}

    package func run(_ count: Int, _ part: @escaping @Sendable (Int) -> Void) {
        for number in 0..<count { part(number) }
    }
}
