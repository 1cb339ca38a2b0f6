/// One thing that is wrong with a plant file or with what overrides it.
package struct PlantMistake: Equatable, Sendable, CustomStringConvertible {
    /// The plant file, or the environment variable that overrides it.
    package let source: String
    /// Line in the file, from 1; nil where the mistake is not at a line.
    package let line: Int?
    /// Where in the plant; example `lines[0].stations[1].camera.path`. Empty for the whole file.
    package let key: String
    /// What stands there; a secret is not shown.
    package let found: String
    /// What should stand there, and what to do.
    package let expected: String

    package init(source: String, line: Int? = nil, key: String, found: String, expected: String) {
        self.source = source
        self.line = line
        self.key = key
        self.found = found
        self.expected = expected
    }

    package var description: String {
        let place = line.map { "\(source):\($0)" } ?? source
        return "\(place): \(key.isEmpty ? "" : "\(key): ")found \(found); expected \(expected)"
    }
}

/// Everything that is wrong with a plant file, all at once; the program exits with 2.
package struct PlantFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Mistakes reported at most; the rest is counted.
    package static let limit = 100

    package let path: String
    /// In the order of the file; at least one, at most `limit`.
    package let mistakes: [PlantMistake]
    /// Mistakes beyond the limit.
    package let unlisted: Int

    package init(path: String, mistakes: [PlantMistake]) {
        self.path = path
        self.mistakes = Array(mistakes.prefix(Self.limit))
        unlisted = max(0, mistakes.count - Self.limit)
    }

    package var description: String {
        var lines = mistakes.map(\.description)
        if unlisted > 0 { lines.append("\(path): and \(unlisted) more mistakes") }
        return lines.joined(separator: "\n")
    }
}
