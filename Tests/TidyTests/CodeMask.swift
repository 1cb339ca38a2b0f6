/// Blanks the comments and strings of Swift source, so that what is left can be searched for code.
struct CodeMask {
    private let source: [UInt8]
    private var masked: [UInt8]
    private var position = 0

    /// `source` with comments and strings as blanks; ends of lines and what stands in `\( )` stay.
    static func blanked(_ source: [UInt8]) -> [UInt8] {
        var mask = CodeMask(source: source, masked: source)
        mask.passCode(isInterpolation: false)
        return mask.masked
    }

    private init(source: [UInt8], masked: [UInt8]) {
        self.source = source
        self.masked = masked
    }

    private func starts(with text: String, at offset: Int = 0) -> Bool {
        source.dropFirst(position + offset).starts(with: text.utf8)
    }

    private mutating func blank(_ count: Int) {
        let end = min(position + count, source.count)
        for index in position..<end where source[index] != UInt8(ascii: "\n") { masked[index] = UInt8(ascii: " ") }
        position = end
    }

    private mutating func passCode(isInterpolation: Bool) {
        var depth = 0
        while position < source.count {
            switch source[position] {
            case UInt8(ascii: "/") where starts(with: "//"):
                while position < source.count, source[position] != UInt8(ascii: "\n") { blank(1) }
            case UInt8(ascii: "/") where starts(with: "/*"):
                passBlockComment()
            case UInt8(ascii: "\""):
                passString(pounds: "")
            case UInt8(ascii: "#"):
                let pounds = source[position...].prefix { $0 == UInt8(ascii: "#") }.count
                if starts(with: "\"", at: pounds) {
                    passString(pounds: String(repeating: "#", count: pounds))
                } else {
                    position += pounds
                }
            case UInt8(ascii: "(") where isInterpolation:
                depth += 1
                position += 1
            case UInt8(ascii: ")") where isInterpolation:
                if depth == 0 { return }
                depth -= 1
                position += 1
            default:
                position += 1
            }
        }
    }

    private mutating func passBlockComment() {
        var depth = 0
        repeat {
            if starts(with: "/*") {
                depth += 1
                blank(2)
            } else if starts(with: "*/") {
                depth -= 1
                blank(2)
            } else {
                blank(1)
            }
        } while depth > 0 && position < source.count
    }

    private mutating func passString(pounds: String) {
        blank(pounds.utf8.count)
        let isMultiline = starts(with: "\"\"\"")
        let quotes = isMultiline ? "\"\"\"" : "\""
        blank(quotes.utf8.count)
        while position < source.count {
            if starts(with: quotes + pounds) {
                blank(quotes.utf8.count + pounds.utf8.count)
                return
            }
            if starts(with: "\\" + pounds + "(") {
                blank(pounds.utf8.count + 2)
                passCode(isInterpolation: true)
                blank(1)
            } else if starts(with: "\\" + pounds) {
                blank(pounds.utf8.count + 2)
            } else if source[position] == UInt8(ascii: "\n"), !isMultiline {
                return
            } else {
                blank(1)
            }
        }
    }
}
