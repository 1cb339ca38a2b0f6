extension Recipe {
    /// Everything that is wrong with what the recipe names: each tool loads its templates and models from `directory`,
    /// and each challenge piece's picture is read.
    package func mistakes(in directory: String) -> [RecipeError.Mistake] {
        let folder = RecipeFiles(directory: directory)
        var mistakes: [RecipeError.Mistake] = []
        do {
            _ = try alignment?.aligner(folder)
        } catch {
            mistakes.append(mistake(AlignmentSettings.key, "\(error)", "a template that parts can be found by"))
        }
        for (index, use) in tools.enumerated() {
            do {
                _ = try use.settings.load(folder)
            } catch {
                mistakes.append(mistake("tools[\(index)]", "\(error)", "what tool \(use.name) can load"))
            }
        }
        for (index, piece) in challengePieces.enumerated() {
            do {
                let bytes = try folder.read(piece.picture, atMost: PictureCodec.maxFileBytes)
                _ = try PictureCodec.decode(bytes, name: piece.picture.name)
            } catch {
                mistakes.append(mistake("challenge_pieces[\(index)]", "\(error)", "a picture of piece \(piece.piece)"))
            }
        }
        return mistakes.sorted { ($0.line, $0.key) < ($1.line, $1.key) }
    }

    /// Files named without their hash, or that are folders: a recipe with them cannot be submitted, since its content hash
    /// would not fix what judges. `sha256` gives the hash to write.
    package func unfixed(in directory: String) -> [RecipeError.Mistake] {
        files.compactMap { named in
            let path = "\(directory)/\(named.file.name)"
            if Files.isFolder(path) {
                return .init(
                    line: named.line,
                    key: named.key,
                    found: "the folder \(named.file.name)",
                    expected: "a file: a folder has no content hash of its own"
                )
            }
            guard named.file.sha256 == nil else { return nil }
            let sha256 = (try? Files.read(path, atMost: Self.namedFileLimit)).map { hexSHA256($0) }
            return .init(
                line: named.line,
                key: named.key,
                found: "\(named.file.name) without its hash",
                expected: "{file: \(named.file.name), sha256: \(sha256 ?? "its SHA-256")}"
            )
        }
    }

    /// Largest file that a recipe may name, bytes.
    package static let namedFileLimit = 512 << 20

    private func mistake(_ key: String, _ found: String, _ expected: String) -> RecipeError.Mistake {
        .init(line: files.first { $0.key.hasPrefix(key) }?.line ?? 1, key: key, found: found, expected: expected)
    }
}
