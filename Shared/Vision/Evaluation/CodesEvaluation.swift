/// A folder of pictures of which is known what code they show: `labels.csv` with the columns `image`, `folder` (a
/// family of pictures), `symbology`, `expected_file` and `expected_kind`.
package struct CodesFolder: Equatable, Sendable {
    /// Most pictures.
    package static let maxPictures = 100_000
    /// Most bytes of one expected text; no code holds more.
    package static let maxExpectedBytes = 65_536

    /// What a picture's code says.
    package enum Expected: Equatable, Sendable {
        /// The file with the text in UTF-8.
        case text(file: String)
        /// The file with the bytes that the code holds.
        case bytes(file: String)
        /// Nothing may be read.
        case nothing
    }

    /// One picture of the folder.
    package struct Item: Equatable, Sendable {
        /// Path below the folder.
        package let name: String
        /// Pictures that belong together; example "datamatrix-2".
        package let family: String
        package let expected: Expected
    }

    package let folder: String
    /// In the order of `labels.csv`.
    package let items: [Item]

    package init(folder: String, items: [Item]) {
        self.folder = folder
        self.items = items
    }

    /// Reads `labels.csv`; pictures are not opened.
    package static func read(_ folder: String) throws(FileError) -> CodesFolder {
        let path = "\(folder)/labels.csv"
        let table = try CsvTable.read(path, columns: ["image", "expected_kind", "expected_file"])
        guard table.rows.count <= maxPictures else {
            throw FileError(path: path, reason: "\(table.rows.count) pictures; expected at most \(maxPictures)")
        }
        let columns = ["image", "expected_kind", "expected_file", "folder"]
        let items = try table.parsed(columns) { fields -> Result<Item, LineFault> in
            guard let image = fields[0], isBelow(image) else {
                return .failure(LineFault("image \"\(fields[0] ?? "")\"; expected a path below the folder"))
            }
            let (kind, file) = (fields[1] ?? "", fields[2] ?? "")
            guard let expected = expectation(kind, file) else {
                return .failure(
                    LineFault(
                        "expected_kind \"\(kind)\" and expected_file \"\(file)\"; expected text or bytes and a path below "
                            + "the folder, or none"
                    )
                )
            }
            return .success(Item(name: image, family: fields[3] ?? family(of: image), expected: expected))
        }
        guard !items.isEmpty else { throw FileError(path: path, reason: "names no picture; expected one a line") }
        return CodesFolder(folder: folder, items: items)
    }

    /// The bytes that the file of an expectation holds; nil where nothing is expected.
    func expectedBytes(of item: Item) throws(FileError) -> [UInt8]? {
        switch item.expected {
        case .text(let file), .bytes(let file):
            return try Files.read("\(folder)/\(file)", atMost: CodesFolder.maxExpectedBytes)
        case .nothing: return nil
        }
    }

    private static func expectation(_ kind: String, _ file: String) -> Expected? {
        switch kind {
        case "text" where isBelow(file): .text(file: file)
        case "bytes" where isBelow(file): .bytes(file: file)
        case "none": .nothing
        default: nil
        }
    }

    private static func isBelow(_ path: String) -> Bool {
        !path.isEmpty && !path.hasPrefix("/") && !path.split(separator: "/").contains("..")
    }

    private static func family(of name: String) -> String {
        name.lastIndex(of: "/").map { String(name[..<$0]) } ?? ""
    }
}

/// How many codes of a folder are read, and what is read that is not there.
package struct CodesEvaluation: Sendable {
    /// What was found in some pictures.
    package struct Tally: Equatable, Sendable {
        /// Pictures that show a code.
        package var expected = 0
        /// Of those, pictures in which something was read.
        package var read = 0
        /// Of those, pictures in which what is expected was read.
        package var correct = 0
        /// Codes read that are not in their picture, whether it shows another code or none.
        package var falseReads = 0
        /// Pictures that show no code.
        package var negatives = 0

        package init(expected: Int = 0, read: Int = 0, correct: Int = 0, falseReads: Int = 0, negatives: Int = 0) {
            self.expected = expected
            self.read = read
            self.correct = correct
            self.falseReads = falseReads
            self.negatives = negatives
        }

        mutating func add(_ other: Tally) {
            expected += other.expected
            read += other.read
            correct += other.correct
            falseReads += other.falseReads
            negatives += other.negatives
        }
    }

    /// What one picture gave.
    package struct Item: Equatable, Sendable {
        package let name: String
        /// Expected text or bytes, as text; empty where nothing is expected.
        package let expected: String
        package let read: [ReadCode]
        package let falseReads: Int
        package let milliseconds: Double
        /// Whether what was expected was read, and nothing else.
        package let isRight: Bool
    }

    package private(set) var total = Tally()
    /// By family.
    package private(set) var families: [String: Tally] = [:]
    package private(set) var items: [Item] = []
    /// Pictures that could not be read as pictures, with the reason: those that show a code count as expected, not read.
    package private(set) var leftOut: [(name: String, reason: String)] = []
    /// Time of reading one picture, decoding of the file left out; nil of an empty folder.
    package var medianMs: Double? { Evaluation.median(items.map(\.milliseconds)) }
    package var maxMs: Double { items.map(\.milliseconds).max() ?? 0 }

    /// Reads every picture of the folder. `nowUs` is any clock that goes on evenly; `progress` is told after each
    /// picture how many are done.
    package static func run(
        _ folder: CodesFolder,
        nowUs: () -> Int64,
        progress: (Int) -> Void = { _ in }
    ) throws -> CodesEvaluation {
        var evaluation = CodesEvaluation()
        for item in folder.items {
            let expected = try folder.expectedBytes(of: item)
            let picture: Picture
            do {
                picture = try PictureCodec.load(path: "\(folder.folder)/\(item.name)")
            } catch {
                evaluation.leaveOut(item, reason: error.reason)
                continue
            }
            let startUs = nowUs()
            let codes = CodeReader.read(picture)
            let milliseconds = Double(nowUs() - startUs) / 1000
            evaluation.add(item, expected: expected, codes: codes, milliseconds: milliseconds)
            progress(evaluation.items.count + evaluation.leftOut.count)
        }
        return evaluation
    }

    private mutating func leaveOut(_ item: CodesFolder.Item, reason: String) {
        let tally = item.expected == .nothing ? Tally(negatives: 1) : Tally(expected: 1)
        total.add(tally)
        families[item.family, default: Tally()].add(tally)
        leftOut.append((item.name, reason))
    }

    private mutating func add(
        _ item: CodesFolder.Item,
        expected: [UInt8]?,
        codes: [ReadCode],
        milliseconds: Double
    ) {
        let right = codes.filter { code in expected.map { Self.says(code, $0) } ?? false }
        let falseReads = codes.count - right.count
        let tally = Tally(
            expected: expected == nil ? 0 : 1,
            read: expected == nil || codes.isEmpty ? 0 : 1,
            correct: right.isEmpty ? 0 : 1,
            falseReads: falseReads,
            negatives: expected == nil ? 1 : 0
        )
        total.add(tally)
        families[item.family, default: Tally()].add(tally)
        items.append(
            Item(
                name: item.name,
                expected: expected.map { String(decoding: $0, as: UTF8.self) } ?? "",
                read: codes,
                falseReads: falseReads,
                milliseconds: milliseconds,
                isRight: expected == nil ? codes.isEmpty : !right.isEmpty && falseReads == 0
            )
        )
    }

    /// Whether the code says what is expected: byte by byte, as plain text, with control characters escaped
    /// ("<GS>"), with GS1 application identifiers in brackets, or, of a GTIN-12, as the GTIN-13 that it is.
    package static func says(_ code: ReadCode, _ expected: [UInt8]) -> Bool {
        if code.bytes == expected { return true }
        let wanted = String(decoding: expected, as: UTF8.self)
        if [code.text, escaped(code.text)].contains(wanted) { return true }
        if code.symbology == .upcA || code.symbology == .ean13 {
            return "0" + code.text == wanted || code.text == "0" + wanted
        }
        return false
    }

    /// Control characters by their ASCII names in angle brackets.
    private static func escaped(_ text: String) -> String {
        let names = [
            "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO", "SI",
            "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
        ]
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0..<32: out += "<\(names[Int(scalar.value)])>"
            case 127: out += "<DEL>"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
