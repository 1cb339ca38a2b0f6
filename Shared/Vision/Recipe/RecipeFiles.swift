/// A file that a recipe names, below the recipe's own folder.
package struct RecipeFile: Equatable, Sendable {
    package let name: String
    /// SHA-256 that its content must have; nil where the recipe does not say.
    package let sha256: String?

    package init(name: String, sha256: String? = nil) {
        self.name = name
        self.sha256 = sha256
    }
}

/// A recipe's folder. Notes the SHA-256 of all that is read from it.
package final class RecipeFiles {
    private let directory: String
    /// SHA-256 of what was read, in the order of reading, lower-case hexadecimal; of a folder over its list.
    package private(set) var sha256s: [String] = []

    package init(directory: String) { self.directory = directory }

    package func path(of file: RecipeFile) -> String { "\(directory)/\(file.name)" }

    /// The file's bytes; an error where they are not those that the recipe names.
    package func read(_ file: RecipeFile, atMost limit: Int) throws(FileError) -> [UInt8] {
        let bytes = try Files.read(path(of: file), atMost: limit)
        try note(file, sha256: hexSHA256(bytes))
        return bytes
    }

    /// Notes what was read in another way, and checks it against the recipe.
    package func note(_ file: RecipeFile, sha256: String) throws(FileError) {
        if let expected = file.sha256, expected != sha256 {
            throw FileError(
                path: path(of: file),
                reason: "its SHA-256 is \(sha256); the recipe names \(expected): bring that file or change the recipe"
            )
        }
        sha256s.append(sha256)
    }
}
