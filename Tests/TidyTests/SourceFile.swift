/// A text file of the repository; of Swift also the code without comments and strings.
struct SourceFile: Sendable {
    /// Relative to the repository.
    let path: String
    let text: [UInt8]
    /// `text` with comments and the inside of strings as blanks, position by position; `text` itself where it is not Swift.
    let code: [UInt8]

    init(path: String, text: String) {
        self.path = path
        self.text = Array(text.utf8)
        code = path.hasSuffix(".swift") ? CodeMask.blanked(self.text) : self.text
    }

    var isSwift: Bool { path.hasSuffix(".swift") }

    /// Lines of the text, without their ends.
    var lines: [String] {
        text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// Lines of the code, without their ends.
    var codeLines: [String] {
        code.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// How many lines the text has; an end of line ends a line and begins none.
    var lineCount: Int {
        text.count { $0 == UInt8(ascii: "\n") } + (text.last.map { $0 != UInt8(ascii: "\n") } ?? false ? 1 : 0)
    }

    /// Number of the line that holds `position`, from 1.
    func line(at position: Int) -> Int {
        text.prefix(position).count { $0 == UInt8(ascii: "\n") } + 1
    }

    /// Lines in which `bytes`, the text or the code, holds one of `words`; a word that begins with a letter is found
    /// only where a word begins.
    func lines(holding words: [String], in bytes: [UInt8]) -> [Int] {
        var found: Set<Int> = []
        for word in words {
            for position in Self.positions(of: Array(word.utf8), in: bytes) { found.insert(line(at: position)) }
        }
        return found.sorted()
    }

    private static func positions(of word: [UInt8], in bytes: [UInt8]) -> [Int] {
        guard let first = word.first, bytes.count >= word.count else { return [] }
        return (0...(bytes.count - word.count)).filter { position in
            bytes[position] == first
                && bytes[position..<(position + word.count)].elementsEqual(word)
                && !(isWordByte(first) && position > 0 && isWordByte(bytes[position - 1]))
        }
    }

    static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
