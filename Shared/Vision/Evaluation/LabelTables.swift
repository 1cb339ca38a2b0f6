/// What a labelled folder's files of comma-separated values say.
struct LabelTables {
    /// Most points of an outline.
    private static let maxPoints = 100_000
    /// Largest coordinate, pixels.
    private static let furthest = 1e6

    private let folder: String
    /// Columns that may name the group, the best first.
    private let groupColumns: [String]
    private(set) var groupColumn: String?

    /// A picture that labels.csv or images.csv lists.
    private struct Listed {
        let name: String
        /// nil where nothing says so.
        var isBad: Bool?
        var defect = ""
        var mask: String?
        var group: String?
    }

    init(folder: String, group: String?) {
        self.folder = folder
        groupColumns = group.map { [$0] } ?? LabelledFolder.groupColumns
    }

    /// The pictures; nil where neither labels nor marks are there.
    mutating func read() throws(FileError) -> [LabelledFolder.Item]? {
        let marks = try readMarks()
        let hasLabels = Files.exists("\(folder)/labels.csv")
        guard hasLabels || marks != nil else { return nil }
        let labels = hasLabels ? try readLabels() : []
        let images = Files.exists("\(folder)/images.csv") ? try readImages() : []
        // Without marks images.csv says of no picture whether it is good.
        var listed = Dictionary(labels.map { ($0.name, $0) }) { first, _ in first }
        for image in images where listed[image.name] != nil || marks != nil {
            listed[image.name, default: image].group = listed[image.name]?.group ?? image.group
        }
        for name in (marks ?? [:]).keys where listed[name] == nil { listed[name] = Listed(name: name) }
        return try listed.values.map { picture throws(FileError) in
            let own = marks?[picture.name]
            if picture.isBad == false, own != nil || picture.mask != nil {
                throw FileError(
                    path: "\(folder)/labels.csv",
                    reason: "\(picture.name) is normal, and has marked defects; expected one of both"
                )
            }
            let isBad = picture.isBad ?? (own != nil)
            return LabelledFolder.Item(
                name: picture.name,
                isBad: isBad,
                defect: picture.defect.isEmpty ? own?.first?.category.rawValue ?? "" : picture.defect,
                // A bad picture without a marked defect has them somewhere.
                marks: own ?? (isBad ? nil : []),
                mask: own == nil ? picture.mask : nil,
                group: picture.group
            )
        }
    }

    // MARK: Lists of pictures

    private mutating func readLabels() throws(FileError) -> [Listed] {
        let table = try CsvTable.read("\(folder)/labels.csv", columns: ["image", "label"])
        let group = chooseGroup(of: table)
        var known: Set<String> = []
        return try table.parsed(["image", "label", "defect", "mask", group]) { fields in
            let label = CsvTable.word(fields[1] ?? "").lowercased()
            guard ["normal", "anomaly"].contains(label) else {
                let found = fields[1].map { "\"\($0)\"" } ?? "nothing"
                return .failure(LineFault("label \(found); expected normal or anomaly"))
            }
            return Self.name(fields[0], known: &known).flatMap { name in
                var listed = Listed(name: name, isBad: label == "anomaly", defect: fields[2] ?? "")
                listed.group = fields[4].flatMap { $0.isEmpty ? nil : $0 }
                guard let mask = fields[3], !mask.isEmpty else { return .success(listed) }
                guard Self.isBelow(mask) else {
                    return .failure(LineFault("mask \"\(mask)\"; expected a path below the folder"))
                }
                listed.mask = mask
                return .success(listed)
            }
        }
    }

    private mutating func readImages() throws(FileError) -> [Listed] {
        let table = try CsvTable.read("\(folder)/images.csv", columns: ["image"])
        let group = chooseGroup(of: table)
        var known: Set<String> = []
        return try table.parsed(["image", group]) { fields in
            Self.name(fields[0], known: &known).map { name in
                Listed(name: name, group: fields[1].flatMap { $0.isEmpty ? nil : $0 })
            }
        }
    }

    /// The table's group column; the empty name where it has none.
    private mutating func chooseGroup(of table: CsvTable) -> String {
        guard let found = groupColumns.first(where: { table.place(of: $0) != nil }) else { return "" }
        groupColumn = groupColumn ?? found
        return found
    }

    private static func name(_ field: String?, known: inout Set<String>) -> Result<String, LineFault> {
        guard let name = field, isBelow(name) else {
            return .failure(LineFault("image \"\(field ?? "")\"; expected a path below the folder"))
        }
        guard known.insert(name).inserted else { return .failure(LineFault("image \(name) a second time")) }
        return .success(name)
    }

    private static func isBelow(_ path: String) -> Bool {
        !path.isEmpty && !path.hasPrefix("/") && !path.split(separator: "/").contains("..") && !path.contains("\0")
    }

    // MARK: Marked defects

    /// Marked defects by picture; nil where neither file is there.
    private func readMarks() throws(FileError) -> [String: [MarkedDefect]]? {
        let (polygons, boxes) = ("\(folder)/polygons.csv", "\(folder)/boxes.csv")
        var marks: [(name: String, mark: MarkedDefect)] = []
        guard Files.exists(polygons) || Files.exists(boxes) else { return nil }
        if Files.exists(polygons) {
            let table = try CsvTable.read(polygons, columns: ["image", "class", "polygon"])
            marks += try table.parsed(["image", "class", "polygon"]) { fields in
                Self.mark(fields[0], fields[1]) { category in Self.outline(fields[2] ?? "", category) }
            }
        }
        if Files.exists(boxes) {
            let names = ["image", "class", "x1", "y1", "x2", "y2"]
            let table = try CsvTable.read(boxes, columns: names)
            marks += try table.parsed(names) { fields in
                Self.mark(fields[0], fields[1]) { category in Self.box(fields.dropFirst(2).map { $0 ?? "" }, category) }
            }
        }
        return Dictionary(grouping: marks, by: \.name).mapValues { $0.map(\.mark) }
    }

    private static func mark(
        _ image: String?,
        _ category: String?,
        _ place: (DefectCategory) -> Result<MarkedDefect, LineFault>
    ) -> Result<(name: String, mark: MarkedDefect), LineFault> {
        guard let image, isBelow(image) else {
            return .failure(LineFault("image \"\(image ?? "")\"; expected a path below the folder"))
        }
        guard let category, !category.isEmpty else {
            return .failure(LineFault("no class; expected the defect's name"))
        }
        return place(DefectCategory(rawValue: category)).map { (image, $0) }
    }

    private static func outline(_ text: String, _ category: DefectCategory) -> Result<MarkedDefect, LineFault> {
        var points: [OutlinePoint] = []
        for pair in text.split(separator: " ") {
            let numbers = pair.split(separator: ",", omittingEmptySubsequences: false).map { coordinate($0) }
            guard numbers.count == 2, let x = numbers[0], let y = numbers[1], points.count < maxPoints else {
                return .failure(LineFault("polygon point \"\(pair.prefix(40))\"; expected x,y in pixels"))
            }
            points.append(OutlinePoint(x: x, y: y))
        }
        let (xs, ys) = (points.map(\.x), points.map(\.y))
        guard points.count >= 3, let left = xs.min(), let right = xs.max(), let top = ys.min(), let bottom = ys.max(),
            left < right, top < bottom
        else {
            return .failure(LineFault("polygon of \(points.count) points without area; expected at least 3 corners"))
        }
        let box = LabelledBox(category: category, left: left, top: top, right: right, bottom: bottom)
        return .success(MarkedDefect(box: box, outline: points))
    }

    private static func box(_ fields: [String], _ category: DefectCategory) -> Result<MarkedDefect, LineFault> {
        let numbers = fields.compactMap { coordinate($0[...]) }
        guard numbers.count == 4, numbers[0] < numbers[2], numbers[1] < numbers[3] else {
            let found = fields.map { String($0.prefix(20)) }.joined(separator: ",")
            return .failure(LineFault("box \(found); expected x1,y1,x2,y2 in pixels, x1 < x2 and y1 < y2"))
        }
        return .success(
            MarkedDefect(
                box: LabelledBox(
                    category: category,
                    left: numbers[0],
                    top: numbers[1],
                    right: numbers[2],
                    bottom: numbers[3]
                )
            )
        )
    }

    private static func coordinate(_ text: Substring) -> Double? {
        Double(text).flatMap { $0.isFinite && abs($0) <= furthest ? $0 : nil }
    }
}
