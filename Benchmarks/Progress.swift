import Glibc

/// Says on standard error how far a long task is: on a line that is written over where that is a terminal, else every ten seconds.
struct Progress {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let clock = ContinuousClock()
    private var last: ContinuousClock.Instant
    private var lineIsOpen = false

    init() {
        last = clock.now
    }

    mutating func show(_ text: @autoclosure () -> String) {
        let now = clock.now
        guard now - last >= (isTerminal ? .milliseconds(100) : .seconds(10)) else { return }
        last = now
        write(isTerminal ? "\r\u{1B}[K\(text())" : "\(text())\n")
        lineIsOpen = isTerminal
    }

    /// Takes the line away, so that a table can begin in its place.
    mutating func clear() {
        if lineIsOpen { write("\r\u{1B}[K") }
        lineIsOpen = false
    }

    private func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
