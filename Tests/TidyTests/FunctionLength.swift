/// A function, initializer or deinitializer of Swift source with a body.
struct MeasuredFunction: Equatable {
    let firstLine: Int
    /// Lines from the declaration's keyword to the closing brace.
    let lineCount: Int
}

extension SourceFile {
    /// All functions with a body, by their braces; a function in a function counts for both.
    var functions: [MeasuredFunction] {
        let keywords = ["func", "init", "deinit"].map { Array($0.utf8) }
        return code.indices.compactMap { index in
            guard let keyword = keywords.first(where: { isDeclaration($0, at: index) }),
                let body = bodyStart(from: index + keyword.count), let end = bodyEnd(from: body)
            else { return nil }
            let first = line(at: index)
            return MeasuredFunction(firstLine: first, lineCount: line(at: end) - first + 1)
        }
    }

    private func isDeclaration(_ keyword: [UInt8], at index: Int) -> Bool {
        guard code[index] == keyword[0], code[index...].starts(with: keyword) else { return false }
        if index > 0, Self.isWordByte(code[index - 1]) || code[index - 1] == UInt8(ascii: ".") { return false }
        let end = index + keyword.count
        return end < code.count && !Self.isWordByte(code[end])
    }

    /// Where the body's brace opens; nil where the declaration has no body, as in a protocol.
    private func bodyStart(from start: Int) -> Int? {
        var depth = 0
        var last = UInt8(ascii: " ")
        for index in start..<code.count {
            let byte = code[index]
            switch byte {
            case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: "{") where depth == 0: return index
            case UInt8(ascii: "}") where depth == 0: return nil
            case UInt8(ascii: "\n") where depth == 0 && last != UInt8(ascii: ","):
                if !continues(after: index) { return nil }
            default: break
            }
            if depth < 0 { return nil }
            if byte != UInt8(ascii: " "), byte != UInt8(ascii: "\n") { last = byte }
        }
        return nil
    }

    /// Whether the line after `index` goes on with the declaration.
    private func continues(after index: Int) -> Bool {
        let rest = code[index...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
        return ["{", "->", "where", "throws", "async", "("].contains { rest.starts(with: $0.utf8) }
    }

    private func bodyEnd(from start: Int) -> Int? {
        var depth = 0
        for index in start..<code.count {
            if code[index] == UInt8(ascii: "{") { depth += 1 }
            if code[index] == UInt8(ascii: "}") { depth -= 1 }
            if depth == 0 { return index }
        }
        return nil
    }
}
