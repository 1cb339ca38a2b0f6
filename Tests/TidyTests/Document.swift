import Foundation

/// A Markdown file for people, and what it says that can be wrong.
struct Document: Sendable {
    let path: String
    let text: String

    /// What stands in code spans and fenced blocks, a line each, with its line number.
    var code: [(line: Int, text: String)] {
        var found: [(Int, String)] = []
        var isFenced = false
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                isFenced.toggle()
            } else if isFenced {
                found.append((index + 1, String(line)))
            } else {
                let parts = line.split(separator: "`", omittingEmptySubsequences: false)
                for (number, part) in parts.enumerated() where number % 2 == 1 {
                    found.append((index + 1, String(part)))
                }
            }
        }
        return found
    }

    /// Calls of LineLedger's command line in the code: the words after `lineledger`, `deploy/demo` counting as `demo`.
    var calls: [(line: Int, words: [String])] {
        code.flatMap { line, text in
            text.split(whereSeparator: { "|;&()".contains($0) }).compactMap { command -> (Int, [String])? in
                let words = command.split(separator: " ").prefix { !$0.hasPrefix("#") }.map(String.init)
                guard
                    let program = words.firstIndex(where: {
                        ["lineledger", "deploy/lineledger", "deploy/demo"].contains($0)
                    })
                else { return nil }
                let arguments = Array(words[(program + 1)...])
                if words[program] == "deploy/demo" { return (line, ["demo"] + arguments) }
                return arguments.isEmpty ? nil : (line, arguments)
            }
        }
    }

    /// What the calls name that the command line does not have.
    func wrongCalls(_ tree: CommandTree) -> [String] {
        calls.flatMap { line, words -> [String] in
            guard let command = words.first, !command.hasPrefix("-") else { return [] }
            guard let options = tree.options(of: command) else {
                return [
                    "\(path):\(line): lineledger has no `\(command)`; it has \(tree.subcommands.joined(separator: ", "))"
                ]
            }
            let used = words.filter { $0.hasPrefix("--") }.map { String($0.prefix { $0 != "=" && $0 != "]" }) }
            return used.filter { !options.contains($0) }.map {
                "\(path):\(line): lineledger \(command) has no \($0); it has \(options.sorted().joined(separator: ", "))"
            }
        }
    }

    /// Paths and links in the text that lead nowhere.
    func deadPaths(exists: (String) -> Bool) -> [String] {
        var dead: [String] = []
        let folder = (path as NSString).deletingLastPathComponent
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let named = line.matches(of: /(^|[^\w\/.-])((deploy|proto|Shared|Services|Tests|\.ci)\/[\w.\/+-]*\w)/)
                .map { String($0.output.2) }
            let linked = line.matches(of: /\]\(([^)#: ]+)(#[^)]*)?\)/).map { match in
                String(URL(filePath: "/\(folder)/\(match.output.1)").standardized.path.dropFirst())
            }
            dead += (named + linked).filter { !exists($0) }.map { "\(path):\(index + 1): \($0): no such file" }
        }
        return dead
    }

    /// Names of metrics and environment variables in the text that `sources` do not hold.
    func unknownNames(sources: [SourceFile]) -> [String] {
        let names = Set(text.matches(of: /\b(lineledger|LINELEDGER)_\w+\b/).map { String($0.output.0) })
        return names.sorted().filter { name in
            !sources.contains { !$0.lines(holding: [Self.series(name)], in: $0.text).isEmpty }
        }.map { "\(path): \($0): no program knows that name" }
    }

    /// A histogram's series are named after it.
    private static func series(_ name: String) -> String {
        for ending in ["_bucket", "_sum", "_count"] where name.hasSuffix(ending) {
            return String(name.dropLast(ending.count))
        }
        return name
    }
}
