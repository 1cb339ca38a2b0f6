import Foundation

/// What commands show: results on standard output, everything else on standard error.
enum Terminal {
    static func say(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    /// One JSON object on one line of standard output.
    static func say(json value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        say(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// Columns as wide as their widest cell; the first row is the heading.
    static func table(_ rows: [[String]]) -> String {
        guard let columns = rows.map(\.count).max() else { return "" }
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}

/// One line on standard error that is written over while work goes on; without a terminal it is written now and then.
struct ProgressLine {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var lastText = ""
    private var shownAt: ContinuousClock.Instant?
    /// Without a terminal a line is added at most this often.
    private let quietFor: Duration

    init(quietFor: Duration = .seconds(1)) {
        self.quietFor = quietFor
    }

    mutating func show(_ text: String) {
        guard text != lastText else { return }
        lastText = text
        if isTerminal {
            FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
        } else if shownAt.map({ $0.duration(to: .now) >= quietFor }) ?? true {
            shownAt = .now
            Terminal.complain(text)
        }
    }

    mutating func finish() {
        if isTerminal, !lastText.isEmpty { FileHandle.standardError.write(Data("\n".utf8)) }
    }

    /// `[#####-----]` for a share from 0 to 1.
    static func bar(_ share: Double, width: Int = 24) -> String {
        let filled = Int((min(max(share, 0), 1) * Double(width)).rounded())
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled) + "]"
    }
}
