/// Italian Pharmacode (Code 32), a number to the base 32 in Code 39 (Ministero della Sanità, decree of 10 June 1983).
enum Code32 {
    private static let alphabet = Array("0123456789BCDFGHJKLMNPQRSTUVWXYZ".utf8)

    /// Tells a Code 39 that holds a Code 32 as such where that is wanted; nil where it is none of what is wanted.
    static func settle(_ code: ReadCode, wanted: Set<Symbology>) -> ReadCode? {
        guard code.symbology == .code39 else { return code }
        if wanted.contains(.code32), let text = text(of: code.bytes) {
            return code.read(as: .code32, text: text)
        }
        return wanted.contains(.code39) ? code : nil
    }

    /// "A" and nine digits; nil where the characters or the check digit are wrong.
    static func text(of bytes: [UInt8]) -> String? {
        guard bytes.count == 6 else { return nil }
        var number = 0
        for byte in bytes {
            guard let value = alphabet.firstIndex(of: byte) else { return nil }
            number = number * 32 + value
        }
        let digits = String(number)
        guard digits.count <= 9 else { return nil }
        let text = String(repeating: "0", count: 9 - digits.count) + digits
        var sum = 0
        for (index, digit) in text.utf8.prefix(8).enumerated() {
            let value = Int(digit - 48) * (index % 2 == 0 ? 1 : 2)
            sum += value / 10 + value % 10
        }
        return text.utf8.last.map { Int($0 - 48) } == sum % 10 ? "A" + text : nil
    }
}
