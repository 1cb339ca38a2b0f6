/// GS1 element strings (GS1 General Specifications, sections 3 and 7.8): data fields, each after its application
/// identifier (AI), those of variable length ended by FNC1, which readers tell as the character U+001D.
package enum Gs1 {
    /// What ends a field of variable length.
    private static let separator = UInt8(0x1D)
    /// Longest field, and most fields of one code.
    private static let maxField = 90
    private static let maxFields = 64

    /// Digits of the whole element, AI included, by the first two digits of the AI: the predefined lengths of section
    /// 7.8.5. Fields of all other AIs end with FNC1 or with the code.
    private static func fixedLength(_ start: Int) -> Int? {
        switch start {
        case 0: 20
        case 1, 2, 3: 16
        case 4: 18
        case 11...19: 8
        case 20: 4
        case 31...36: 10
        case 41: 16
        default: nil
        }
    }

    /// Digits of an AI by its first two; nil where no AI begins so.
    private static func identifierLength(_ start: Int) -> Int? {
        switch start {
        case 0...4, 10...22, 30, 37, 90...99: 2
        case 23...25, 40...42, 71: 3
        case 31...36, 39, 43, 70, 72, 80...82: 4
        default: nil
        }
    }

    /// The fields by application identifier; nil where the text is no sequence of element strings. Of an AI that is
    /// there twice the first field counts.
    package static func fields(_ text: String) -> [String: String]? {
        var rest = Array(text.utf8)[...]
        var fields: [String: String] = [:]
        var count = 0
        while !rest.isEmpty {
            if rest.first == separator {
                rest = rest.dropFirst()
                continue
            }
            count += 1
            guard count <= maxFields, let start = number(rest.prefix(2)), let digits = identifierLength(start),
                number(rest.prefix(digits)) != nil
            else { return nil }
            let length =
                fixedLength(start).map { $0 - digits } ?? rest.dropFirst(digits).prefix { $0 != separator }.count
            let data = rest.dropFirst(digits).prefix(length)
            guard data.count == length, (1...maxField).contains(length), !data.contains(separator) else { return nil }
            let identifier = String(decoding: rest.prefix(digits), as: UTF8.self)
            if fields[identifier] == nil { fields[identifier] = String(decoding: data, as: UTF8.self) }
            rest = rest.dropFirst(digits + length)
        }
        return fields.isEmpty ? nil : fields
    }

    /// The element strings of their human readable form, "(01)09501101530003(10)AB-1"; nil where it is none.
    static func elementStrings(ofReadable text: String) -> String? {
        guard text.hasPrefix("(") else { return nil }
        var out = ""
        var needsSeparator = false
        for part in text.dropFirst().split(separator: "(", omittingEmptySubsequences: false) {
            guard let close = part.firstIndex(of: ")") else { return nil }
            let identifier = part[..<close]
            guard let start = number(Array(identifier.utf8.prefix(2))[...]) else { return nil }
            if needsSeparator { out += "\u{1D}" }
            out += identifier + part[part.index(after: close)...]
            needsSeparator = fixedLength(start) == nil
        }
        return out
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard digits.count >= 2, digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1) - 48 }
    }
}
