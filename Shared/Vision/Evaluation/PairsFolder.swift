/// Pairs of a template's and a tested part's picture, with the boxes that a person drew around the part's defects in a
/// text file.
///
/// Pairs are found at any depth: `<id>_temp.*` (or `_template`) and `<id>_test.*` in one folder, or files of one name
/// in the folders `template/` and `test/`. The boxes of a pair stand beside the tested picture, in `<id>.txt` or
/// `<id>_test.txt`, or in `<id>.txt` of the folder named like the picture's with `_not` after it, as the DeepPCB data
/// set has them (Tang, He, Huang, Yang: "Online PCB Defect Detector On A New PCB Defect Dataset", 2019).
package struct PairsFolder: Equatable, Sendable {
    /// Most files looked at.
    package static let maxFiles = 400_000
    /// Folders below each other.
    package static let maxDepth = 8
    private static let maxTextBytes = 16_000_000

    /// One pair; paths below the folder.
    package struct Pair: Equatable, Sendable {
        /// Path without ending; example "group20085/20085/20085000".
        package let name: String
        package let template: String
        package let test: String
        package let boxes: String
    }

    package let folder: String
    /// In natural order of names.
    package let pairs: [Pair]
    /// What else lies there that is no whole pair, and what it lacks; left out. In natural order.
    package let incomplete: [String]

    /// Finds the pairs; neither pictures nor boxes are read. `list` names a text file with one pair a line, of which
    /// the first word counts: the pair's name, with or without ending; only those are taken then.
    package static func read(_ folder: String, list: String? = nil) throws(FileError) -> PairsFolder {
        guard Files.isFolder(folder) else { throw FileError(path: folder, reason: "not a folder") }
        var search = Search(folder: folder)
        try search.look(in: "", depth: 0)
        var (pairs, incomplete) = try search.pairs()
        let ordered = incomplete.sorted { NaturalOrder.precedes($0.key, $1.key) }.map(\.value)
        guard !pairs.isEmpty else {
            throw FileError(
                path: folder,
                reason: ordered.first
                    ?? "no pairs; expected <id>_temp.* and <id>_test.* pictures with <id>.txt, or the folders template/ "
                    + "and test/ with a text file beside each picture of test/"
            )
        }
        if let list {
            let wanted = try names(in: list)
            pairs = pairs.filter { wanted.contains($0.name) }
            if let missing = wanted.subtracting(pairs.map(\.name)).min(by: NaturalOrder.precedes) {
                let reason = incomplete[missing] ?? "\(missing) is no pair of \(folder); expected names of its pairs"
                throw FileError(path: list, reason: reason)
            }
        }
        return PairsFolder(
            folder: folder,
            pairs: pairs.sorted { NaturalOrder.precedes($0.name, $1.name) },
            incomplete: ordered
        )
    }

    /// The boxes of a pair. Errors name line, what was found and what is expected.
    package func boxes(of pair: Pair) throws(FileError) -> [LabelledBox] {
        let path = "\(folder)/\(pair.boxes)"
        var boxes: [LabelledBox] = []
        for (index, line) in try Self.lines(of: path).enumerated() {
            let fields = line.split { $0 == "," || $0 == ";" || $0.isWhitespace }
            guard !fields.isEmpty else { continue }
            guard let box = LabelledBox(fields.map(String.init)) else {
                throw FileError(
                    path: path,
                    reason: "line \(index + 1): \"\(line.prefix(60))\"; expected x1 y1 x2 y2 class, "
                        + "x1 < x2 and y1 < y2, and a class from 1 open, 2 short, 3 mousebite, 4 spur, 5 copper, 6 pin-hole"
                )
            }
            boxes.append(box)
        }
        return boxes
    }

    private static func lines(of path: String) throws(FileError) -> [Substring] {
        let bytes = try Files.read(path, atMost: maxTextBytes)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw FileError(path: path, reason: "not UTF-8 text")
        }
        return text.drop { $0 == "\u{FEFF}" }.split(omittingEmptySubsequences: false) { $0.isNewline }
    }

    private static func names(in list: String) throws(FileError) -> Set<String> {
        var names: Set<String> = []
        for line in try lines(of: list) {
            guard let first = line.split(whereSeparator: \.isWhitespace).first else { continue }
            names.insert(GoldenPairsTool.stem(String(first)))
        }
        return names
    }

    /// What lies in the folder.
    private struct Search {
        let folder: String
        private var templates: [String: String] = [:]
        private var tests: [String: String] = [:]
        private var texts: Set<String> = []
        private var files = 0

        init(folder: String) { self.folder = folder }

        mutating func look(in below: String, depth: Int) throws(FileError) {
            let path = below.isEmpty ? folder : "\(folder)/\(below)"
            let last = below.split(separator: "/").last.map(String.init) ?? ""
            for name in try Files.names(in: path, atMost: PairsFolder.maxFiles) {
                files += 1
                guard files <= PairsFolder.maxFiles else {
                    throw FileError(path: folder, reason: "more than \(PairsFolder.maxFiles) files")
                }
                let inside = below.isEmpty ? name : "\(below)/\(name)"
                if name.lowercased().hasSuffix(".txt") {
                    texts.insert(inside)
                } else if LabelledFolder.isPicture(name) {
                    try add(inside, in: last)
                } else if Files.isFolder("\(folder)/\(inside)") {
                    guard depth < PairsFolder.maxDepth else {
                        throw FileError(
                            path: "\(folder)/\(inside)",
                            reason: "more than \(PairsFolder.maxDepth) folders below each other"
                        )
                    }
                    try look(in: inside, depth: depth + 1)
                }
            }
        }

        private mutating func add(_ inside: String, in last: String) throws(FileError) {
            let stem = GoldenPairsTool.stem(inside)
            let key = GoldenPairsTool.withoutRole(stem)
            if stem.hasSuffix("_temp") || stem.hasSuffix("_template") || (key == stem && last == "template") {
                try put(inside, key, in: &templates)
            } else if stem.hasSuffix("_test") || last == "test" {
                try put(inside, key, in: &tests)
            }
        }

        /// Moves what has no partner out of `folder`: template/7 and test/7 are the pair 7 of the folder above.
        private func above(_ folder: String, _ found: [String: String], without partners: [String: String])
            throws(FileError) -> [String: String]
        {
            var moved: [String: String] = [:]
            for (key, inside) in found {
                let parts = key.split(separator: "/", omittingEmptySubsequences: false)
                let isAbove = partners[key] == nil && parts.dropLast().last.map(String.init) == folder
                let above = (parts.dropLast(2) + parts.suffix(1)).joined(separator: "/")
                try put(inside, isAbove ? above : key, in: &moved)
            }
            return moved
        }

        private func put(_ inside: String, _ key: String, in found: inout [String: String]) throws(FileError) {
            if let other = found[key] {
                throw FileError(path: folder, reason: "\(other) and \(inside) are the same picture of pair \(key)")
            }
            found[key] = inside
        }

        /// Whole pairs, and by name what others lack.
        func pairs() throws(FileError) -> ([Pair], incomplete: [String: String]) {
            let templates = try above("template", templates, without: tests)
            let tests = try above("test", tests, without: self.templates)
            var (pairs, incomplete): ([Pair], [String: String]) = ([], [:])
            for (name, template) in templates where tests[name] == nil {
                incomplete[name] = "\(template) has no tested picture; expected \(name)_test.*"
            }
            for (name, test) in tests {
                let candidates = Self.texts(name: name, test: test)
                if let template = templates[name], let boxes = candidates.first(where: texts.contains) {
                    pairs.append(Pair(name: name, template: template, test: test, boxes: boxes))
                } else if templates[name] == nil {
                    incomplete[name] = "\(test) has no template; expected \(name)_temp.*"
                } else {
                    let expected = candidates.joined(separator: " or ")
                    incomplete[name] = "\(test) has no boxes; expected \(expected), empty for a part without defects"
                }
            }
            return (pairs, incomplete)
        }

        /// Where the boxes may stand.
        private static func texts(name: String, test: String) -> [String] {
            let stem = GoldenPairsTool.stem(test)
            let parts = name.split(separator: "/").map(String.init)
            var stems: [String] = []
            for candidate in [GoldenPairsTool.withoutRole(stem), stem, name] where !stems.contains(candidate) {
                stems.append(candidate)
            }
            if let last = parts.last, parts.count > 1 {
                stems.append("\(parts.dropLast().joined(separator: "/"))_not/\(last)")
            }
            return stems.map { "\($0).txt" }
        }
    }
}

/// A defect as a person marked it: pixels, `right` and `bottom` one past the last.
package struct LabelledBox: Equatable, Sendable {
    /// Categories by their number in box files, from 1.
    package static let categories: [DefectCategory] = [.open, .short, .mousebite, .spur, .copper, .pinHole]

    package let category: DefectCategory
    package let left: Double
    package let top: Double
    package let right: Double
    package let bottom: Double

    package init(category: DefectCategory, left: Double, top: Double, right: Double, bottom: Double) {
        self.category = category
        self.left = left
        self.top = top
        self.right = right
        self.bottom = bottom
    }

    /// `x1 y1 x2 y2 class`, the class as number or word; nil where it is not that.
    init?(_ fields: [String]) {
        guard fields.count == 5 else { return nil }
        let numbers = fields.prefix(4).compactMap(Double.init)
        let named = Self.categories.first { $0.rawValue == fields[4] }
        let number = (Int(fields[4]) ?? 0) - 1
        let numbered = Self.categories.indices.contains(number) ? Self.categories[number] : nil
        guard numbers.count == 4, numbers.allSatisfy({ abs($0) <= 1e6 }), let category = named ?? numbered,
            numbers[0] < numbers[2], numbers[1] < numbers[3]
        else { return nil }
        self.init(category: category, left: numbers[0], top: numbers[1], right: numbers[2], bottom: numbers[3])
    }

    /// Area of what both share over the area of what either covers.
    package func intersectionOverUnion(_ other: LabelledBox) -> Double {
        let width = min(right, other.right) - max(left, other.left)
        let height = min(bottom, other.bottom) - max(top, other.top)
        guard width > 0, height > 0 else { return 0 }
        let shared = width * height
        return shared / (area + other.area - shared)
    }

    private var area: Double { (right - left) * (bottom - top) }
}
