import TestSupport

/// Asks for the flaw of each element, on a thread for each of two cores, and returns those there are. Three are enough to look at.
func inParallel<Element: Sendable>(_ elements: [Element], flaw: @escaping @Sendable (Element) throws -> String?) throws -> [String] {
    let next = Shared(0)
    let flaws = Shared<[String]>([])
    try onThreads(2) { _ in
        while case let index = next.update({ next in (next, next += 1).0 }), index < elements.count, flaws.current.count < 3 {
            if let found = try flaw(elements[index]) { flaws.update { $0.append(found) } }
        }
    }
    return flaws.current
}
