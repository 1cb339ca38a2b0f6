/// The difference to a golden picture of the part's own, as recipes name it.
package struct GoldenPairsSettings: ToolSettings {
    package static let key = "golden_pairs"
    package static let task = VisionTask.inspect
    package var categories: [DefectCategory] { comparison.categories }
    private let templates: RecipeFile
    private let comparison: GoldenSettings

    package init(_ section: RecipeSection) {
        templates = section.file("templates")
        comparison = GoldenSettings(section)
    }

    package func load(_ files: RecipeFiles) throws -> any Tool {
        let tool = try GoldenPairsTool(folder: files.path(of: templates), settings: comparison)
        try files.note(templates, sha256: tool.sha256)
        return tool
    }
}

/// Difference to a golden picture of the part's own: the one of the folder with the same name. Endings and a last
/// `_test`, `_temp` or `_template` of the names are left out: `0001_test.jpg` is compared with `0001_temp.jpg`.
package struct GoldenPairsTool: Tool {
    /// Most templates in the folder.
    package static let maxTemplates = 20_000

    /// SHA-256 over one line `<sha256>  <file name>\n` for each template in natural order: what `sha256sum` prints.
    package let sha256: String
    private let folder: String
    private let settings: GoldenSettings
    private let templates: [String: Entry]

    private struct Entry: Sendable {
        let file: String
        let sha256: String
    }

    package init(folder: String, settings: GoldenSettings) throws(FileError) {
        var templates: [String: Entry] = [:]
        var list = ""
        for name in try Files.names(in: folder, atMost: Self.maxTemplates) where LabelledFolder.isPicture(name) {
            let sha256 = hexSHA256(try Files.read("\(folder)/\(name)", atMost: PictureCodec.maxFileBytes))
            list += "\(sha256)  \(name)\n"
            let key = Self.key(name)
            if let other = templates[key]?.file {
                throw FileError(path: folder, reason: "\(other) and \(name) are both templates of \(key); expected one")
            }
            templates[key] = Entry(file: name, sha256: sha256)
        }
        guard !templates.isEmpty else {
            throw FileError(path: folder, reason: "no PNG, JPEG, PGM or PPM files; expected template pictures")
        }
        self.folder = folder
        self.settings = settings
        self.templates = templates
        sha256 = hexSHA256(Array(list.utf8))
    }

    package func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        let (picture, sourceName) = (part.picture, part.sourceName)
        let key = Self.key(sourceName)
        guard let entry = templates[key] else {
            throw ToolError("\(folder) has no template named \(key) for \(sourceName)")
        }
        let golden: Picture
        do {
            let (read, sha256) = try Self.read("\(folder)/\(entry.file)")
            guard sha256 == entry.sha256 else {
                throw ToolError("template \(entry.file) changed since the recipe was loaded; load the recipe again")
            }
            golden = read
        } catch let error as PictureError {
            throw ToolError(error.description)
        } catch let error as ToolError {
            throw error
        } catch {
            throw ToolError("\(error)")
        }
        let template = GoldenTemplate(golden, settings: settings)
        timer.finish("load template")
        return try template.compare(picture, timer: &timer)
    }

    /// The picture and the SHA-256 over its file.
    static func read(_ path: String) throws(PictureError) -> (Picture, String) {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, atMost: PictureCodec.maxFileBytes)
        } catch {
            throw PictureError(name: path, reason: error.reason)
        }
        return (try PictureCodec.decode(bytes, name: path), hexSHA256(bytes))
    }

    private static func key(_ name: String) -> String {
        withoutRole(stem(name.split(separator: "/").last.map(String.init) ?? name))
    }

    /// The path without its file's ending.
    static func stem(_ path: String) -> String {
        let file = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
        return file.lastIndex(of: ".").map { String(path[..<$0]) } ?? path
    }

    /// The name without what says whether it is the template or the tested part.
    static func withoutRole(_ stem: String) -> String {
        for suffix in ["_test", "_template", "_temp"] where stem.hasSuffix(suffix) {
            return String(stem.dropLast(suffix.count))
        }
        return stem
    }
}
