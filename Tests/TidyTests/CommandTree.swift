/// The command line as its sources declare it with ArgumentParser: subcommands and their options.
struct CommandTree {
    /// A type that declares arguments.
    private struct Declaration {
        var commandName: String?
        var options: Set<String> = []
        /// Types of its option groups and subcommands.
        var parts: [String] = []
    }

    private var declarations: [String: Declaration] = [:]
    private let root: String

    /// - Parameter root: type of the whole command line.
    init(root: String, sources: [SourceFile]) {
        self.root = root
        for source in sources { read(source.lines) }
    }

    var subcommands: [String] { (declarations[root]?.parts ?? []).map(name).sorted() }

    /// Long options of a subcommand, those of its option groups and subcommands included; nil where there is no such one.
    func options(of subcommand: String) -> Set<String>? {
        guard let type = declarations[root]?.parts.first(where: { name($0) == subcommand }) else { return nil }
        return options(ofType: type).union(["--help", "--version"])
    }

    private func options(ofType type: String) -> Set<String> {
        guard let declaration = declarations[type] else { return [] }
        return declaration.parts.reduce(declaration.options) { $0.union(options(ofType: $1)) }
    }

    private func name(_ type: String) -> String { declarations[type]?.commandName ?? Self.hyphenated(type) }

    private mutating func read(_ lines: [String]) {
        var type: String?
        var attribute: String?
        var isList = false
        for line in lines {
            if let declared = line.firstMatch(of: /struct (\w+):.*Parsable(Command|Arguments)/) {
                type = String(declared.output.1)
                declarations[String(declared.output.1)] = Declaration()
            }
            guard let type else { continue }
            if let named = line.firstMatch(of: /commandName: "([^" ]+)"/) {
                declarations[type]?.commandName = String(named.output.1)
            }
            if line.contains("subcommands: [") { isList = true }
            if isList {
                declarations[type]?.parts += line.matches(of: /(\w+)\.self/).map { String($0.output.1) }
                isList = !line.contains("]")
            }
            if line.contains(/@(Option|Flag|OptionGroup)\b/) { attribute = "" }
            guard let before = attribute else { continue }
            attribute = before + line
            if let property = line.firstMatch(of: /\bvar (\w+)(: (\w+))?/) {
                note(property: String(property.output.1), of: property.output.3, before + line, in: type)
                attribute = nil
            }
        }
    }

    private mutating func note(property: String, of propertyType: Substring?, _ text: String, in type: String) {
        if text.contains("@OptionGroup") {
            if let propertyType { declarations[type]?.parts.append(String(propertyType)) }
            return
        }
        let custom = text.matches(of: /(customLong\(|\.long, )"([^"]+)"/).map { String($0.output.2) }
        for name in custom.isEmpty ? [Self.hyphenated(property)] : custom {
            declarations[type]?.options.insert("--\(name)")
            if text.contains("prefixedNo") { declarations[type]?.options.insert("--no-\(name)") }
        }
    }

    private static func hyphenated(_ name: String) -> String {
        name.reduce(into: "") { result, letter in
            if letter.isUppercase, !result.isEmpty { result.append("-") }
            result += letter.lowercased()
        }
    }
}
