/// A version of the interface that is served, and what its clients are told about its end.
///
/// To add one: its routes in `API`, its number in `implemented`. nginx then lets its paths through where the settings list it.
package struct APIVersion: Sendable, Equatable, CustomStringConvertible {
    /// The versions that the responder has handlers for.
    static let implemented = 1...1

    package let number: Int
    /// Since when it should not be used any more: `Deprecation`, https://www.rfc-editor.org/rfc/rfc9745
    package var deprecated: CalendarDay?
    /// From when on it may be gone: `Sunset`, https://www.rfc-editor.org/rfc/rfc8594
    package var sunset: CalendarDay?

    package init(number: Int, deprecated: CalendarDay? = nil, sunset: CalendarDay? = nil) {
        (self.number, self.deprecated, self.sunset) = (number, deprecated, sunset)
    }

    /// Reads `v1`, `v1 deprecated 2027-01-31`, `v1 sunset 2027-12-31` or `v1 deprecated 2027-01-31 sunset 2027-12-31`.
    init?(_ text: String) {
        var words = text.split(separator: " ", omittingEmptySubsequences: false)[...]
        guard let number = Self.implemented.first(where: { words.first == "v\($0)" }) else { return nil }
        words.removeFirst()
        self.init(number: number)
        func day(after word: String) -> CalendarDay?? {
            guard words.first == word[...] else { return .some(nil) }
            defer { words = words.dropFirst(2) }
            return words.dropFirst().first.flatMap { CalendarDay($0) }.map { .some($0) }
        }
        guard let deprecated = day(after: "deprecated"), let sunset = day(after: "sunset"), words.isEmpty else { return nil }
        if let deprecated, let sunset, sunset < deprecated { return nil }
        (self.deprecated, self.sunset) = (deprecated, sunset)
    }

    /// The first part of its paths.
    package var name: String { "v\(number)" }

    package var description: String {
        name + (deprecated.map { " deprecated \($0)" } ?? "") + (sunset.map { " sunset \($0)" } ?? "")
    }
}

/// A day of the Gregorian calendar, which begins at midnight UTC.
package struct CalendarDay: Sendable, Equatable, Comparable, CustomStringConvertible {
    private let year: Int
    private let month: Int
    private let day: Int

    /// Reads `YYYY-MM-DD` of a day there is, from 1970 on.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == [4, 2, 2], let year = decimal(parts[0]), let month = decimal(parts[1]),
            let day = decimal(parts[2]),
            year >= 1970, (1...12).contains(month), (1...Self.length(of: month, in: year)).contains(day)
        else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
    }

    /// Its beginning, in seconds since 1970.
    package var unixSeconds: Int { days * 86_400 }

    /// Its beginning as an HTTP date, https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
    package var httpDate: String {
        // The first of January 1970 was a Thursday.
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days % 7]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return "\(weekday), \(padded(day, 2)) \(months[month - 1]) \(padded(year, 4)) 00:00:00 GMT"
    }

    package var description: String { "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))" }

    package static func < (left: CalendarDay, right: CalendarDay) -> Bool { left.days < right.days }

    /// Since the first of January 1970.
    private var days: Int {
        let ofYears = (1970..<year).reduce(0) { $0 + (Self.isLeap($1) ? 366 : 365) }
        return (1..<month).reduce(ofYears) { $0 + Self.length(of: $1, in: year) } + day - 1
    }

    private static func length(of month: Int, in year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
}

private func padded(_ number: Int, _ width: Int) -> String {
    let digits = "\(number)"
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
