/// How a date is printed: `dd` day, `MM` month, `MMM` month as JAN to DEC, `yy` or `yyyy` year, anything else itself.
/// Without a day it means the month's last one, as dates of minimum durability do (Regulation (EU) 1169/2011, annex X).
struct PrintedDate: Equatable, Sendable {
    private enum Part: Equatable, Sendable {
        case day, month, monthName, shortYear, year
        case literal(Character)
    }

    private static let months = [
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ]
    private let parts: [Part]

    /// ISO 8601: 2027-03-31.
    static let iso = PrintedDate(parts: [.year, .literal("-"), .month, .literal("-"), .day])

    private init(parts: [Part]) { self.parts = parts }

    /// Nil where the format lacks month or year, or has something twice.
    init?(_ format: String) {
        let words: [(String, Part)] = [
            ("dd", .day), ("MMM", .monthName), ("MM", .month), ("yyyy", .year), ("yy", .shortYear),
        ]
        var parts: [Part] = []
        var rest = format.filter { $0 != " " }[...]
        while let first = rest.first {
            if let (word, part) = words.first(where: { rest.hasPrefix($0.0) }) {
                parts.append(part)
                rest = rest.dropFirst(word.count)
            } else {
                parts.append(.literal(first))
                rest = rest.dropFirst()
            }
        }
        func count(_ wanted: Part...) -> Int { parts.count(where: wanted.contains) }
        guard count(.year, .shortYear) == 1, count(.month, .monthName) == 1, count(.day) <= 1 else { return nil }
        self.parts = parts
    }

    /// What stands at each place.
    var fielding: String {
        parts.map { part in
            switch part {
            case .day, .month, .shortYear: "##"
            case .monthName: "@@@"
            case .year: "####"
            case .literal(let character): String(character)
            }
        }.joined()
    }

    /// Days since 1970-01-01; nil where the text is no date of this format. Spaces do not count.
    func days(_ text: String) -> Int? {
        var rest = text.filter { $0 != " " }[...]
        var (year, month, day): (Int?, Int?, Int?)
        for part in parts {
            switch part {
            case .day: day = Self.number(&rest, 2)
            case .month: month = Self.number(&rest, 2)
            case .shortYear: year = Self.number(&rest, 2).map { 2_000 + $0 }
            case .year: year = Self.number(&rest, 4)
            case .monthName:
                month = Self.months.firstIndex(of: rest.prefix(3).uppercased()).map { $0 + 1 }
                rest = rest.dropFirst(3)
            case .literal(let character):
                guard rest.popFirst() == character else { return nil }
            }
        }
        guard rest.isEmpty, let year, let month, (1...12).contains(month) else { return nil }
        let last = Self.lastDay(month, of: year)
        guard parts.contains(.day) else { return Self.days(year, month, last) }
        return day.flatMap { (1...last).contains($0) ? Self.days(year, month, $0) : nil }
    }

    private static func number(_ rest: inout Substring, _ count: Int) -> Int? {
        let digits = rest.prefix(count)
        rest = rest.dropFirst(count)
        return digits.count == count && digits.allSatisfy({ ("0"..."9").contains($0) }) ? Int(digits) : nil
    }

    private static func lastDay(_ month: Int, of year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// Days since 1970-01-01 in the proleptic Gregorian calendar; years count from March, so that the leap day is last.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let years = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return years * 365 + years / 4 - years / 100 + years / 400 + dayOfYear - 719_468
    }
}
