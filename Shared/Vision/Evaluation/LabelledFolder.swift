/// A folder of pictures of which is known whether they show a good part.
package struct LabelledFolder: Equatable, Sendable {
    /// Most pictures.
    package static let maxPictures = 100_000

    /// One picture of the folder.
    package struct Item: Equatable, Sendable {
        /// Path below the folder; example "normal/7.png".
        package let name: String
        package let isBad: Bool
        /// What is wrong with a bad part, in the labels' words; empty where they do not say.
        package let defect: String

        package init(name: String, isBad: Bool, defect: String = "") {
            self.name = name
            self.isBad = isBad
            self.defect = defect
        }
    }

    package let folder: String
    /// In natural order of names.
    package let items: [Item]

    /// Reads `labels.csv` (columns `image`, `label`, which is `normal` or `anomaly`, and where there is one `defect`;
    /// others are left alone) or, where there is none, the folders `normal/` and `anomaly/`; folders in `anomaly/` are
    /// named after their defects. Pictures are not opened.
    package static func read(_ folder: String) throws(FileError) -> LabelledFolder {
        let items = Files.exists("\(folder)/labels.csv") ? try readLabels(folder) : try readFolders(folder)
        guard !items.isEmpty else {
            throw FileError(
                path: folder,
                reason: "no pictures; expected labels.csv, or PNG, JPEG, PGM or PPM files in normal/ and anomaly/"
            )
        }
        return LabelledFolder(folder: folder, items: items.sorted { NaturalOrder.precedes($0.name, $1.name) })
    }

    package func path(of item: Item) -> String { "\(folder)/\(item.name)" }

    /// Whether the file's ending is one of a picture that can be read.
    package static func isPicture(_ name: String) -> Bool {
        let lower = name.lowercased()
        return [".png", ".jpg", ".jpeg", ".pgm", ".ppm"].contains { lower.hasSuffix($0) }
    }

    private static func readFolders(_ folder: String) throws(FileError) -> [Item] {
        var items: [Item] = []
        for (name, isBad) in [("normal", false), ("anomaly", true)] where Files.isFolder("\(folder)/\(name)") {
            for file in try Files.names(in: "\(folder)/\(name)", atMost: maxPictures) where isPicture(file) {
                items.append(Item(name: "\(name)/\(file)", isBad: isBad))
            }
        }
        guard Files.isFolder("\(folder)/anomaly") else { return items }
        for defect in try Files.names(in: "\(folder)/anomaly", atMost: maxPictures) {
            let path = "anomaly/\(defect)"
            guard Files.isFolder("\(folder)/\(path)") else { continue }
            for file in try Files.names(in: "\(folder)/\(path)", atMost: maxPictures) where isPicture(file) {
                items.append(Item(name: "\(path)/\(file)", isBad: true, defect: defect))
            }
        }
        return items
    }

    private static func readLabels(_ folder: String) throws(FileError) -> [Item] {
        let path = "\(folder)/labels.csv"
        let bytes = try Files.read(path, atMost: 50_000_000)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw FileError(path: path, reason: "not UTF-8 text")
        }
        let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }.map { fields(of: $0) }
        guard let header = lines.first, let image = header.firstIndex(of: "image"),
            let label = header.firstIndex(of: "label")
        else { throw FileError(path: path, reason: "line 1 has no columns image and label") }
        let defect = header.firstIndex(of: "defect")
        guard lines.count <= maxPictures else {
            throw FileError(path: path, reason: "\(lines.count) lines; expected at most \(maxPictures)")
        }
        var items: [Item] = []
        for (index, line) in lines.enumerated().dropFirst() where line != [""] {
            guard line.count > max(image, label), ["normal", "anomaly"].contains(line[label]) else {
                let found = line.count > label ? "\"\(line[label])\"" : "nothing"
                throw FileError(path: path, reason: "line \(index + 1): label \(found); expected normal or anomaly")
            }
            guard !line[image].isEmpty, !line[image].hasPrefix("/"), !line[image].split(separator: "/").contains("..")
            else {
                throw FileError(
                    path: path,
                    reason: "line \(index + 1): image \"\(line[image])\"; expected a path below the folder"
                )
            }
            let word = defect.flatMap { $0 < line.count ? line[$0] : nil } ?? ""
            items.append(Item(name: line[image], isBad: line[label] == "anomaly", defect: word))
        }
        return items
    }

    /// Fields of one line, quoted or not (RFC 4180 without line breaks inside quotes).
    private static func fields(of line: Substring) -> [String] {
        var fields = [""]
        var isQuoted = false
        for character in line {
            switch character {
            case "\"":
                isQuoted.toggle()
            case "," where !isQuoted:
                fields.append("")
            default:
                fields[fields.count - 1].append(character)
            }
        }
        return fields
    }
}
