/// A folder of pictures of which is known whether they show a good part, and perhaps where their defects are.
package struct LabelledFolder: Equatable, Sendable {
    /// Most pictures.
    package static let maxPictures = 100_000
    /// Columns that name a picture's group where none is asked for: the first of these that is there. The second is the
    /// BSData set's.
    package static let groupColumns = ["group", "spindle_position"]
    /// What marked defects are called where the labels have no word for them.
    package static let unnamed: DefectCategory = "defect"

    /// One picture of the folder.
    package struct Item: Equatable, Sendable {
        /// Path below the folder; example "normal/7.png".
        package let name: String
        package let isBad: Bool
        /// What is wrong with a bad part, in the labels' words; empty where they do not say.
        package let defect: String
        /// Its defects as people marked them; empty where none is marked, nil where it is not known where they are or a
        /// mask file says so.
        package let marks: [MarkedDefect]?
        /// Path below the folder of a picture of its size that is bright where its defects are.
        package let mask: String?
        /// What it shares with other pictures, such as the object that it shows; nil where nothing is said.
        package let group: String?

        package init(
            name: String,
            isBad: Bool,
            defect: String = "",
            marks: [MarkedDefect]? = nil,
            mask: String? = nil,
            group: String? = nil
        ) {
            (self.name, self.isBad, self.defect) = (name, isBad, defect)
            (self.marks, self.mask, self.group) = (marks, mask, group)
        }

        /// Whether it is known of each pixel if it is defective.
        package var hasPlaces: Bool { !isBad || marks != nil || mask != nil }

        /// Whether outlines or a mask tell the defects' pixels, and not only boxes.
        package var hasPixels: Bool { !isBad || mask != nil || marks?.allSatisfy { $0.outline != nil } ?? false }

        /// Categories of its marked defects.
        package var categories: [DefectCategory] {
            mask == nil ? (marks ?? []).map(\.category) : [defect.isEmpty ? unnamed : DefectCategory(rawValue: defect)]
        }
    }

    package let folder: String
    /// In natural order of names.
    package let items: [Item]
    /// Column that the groups come from; nil where there is none.
    package let groupColumn: String?

    /// Reads what is known of the folder's pictures; pictures are not opened. Files of comma-separated values, of which
    /// other columns are left alone:
    ///
    /// - `labels.csv`: `image`, `label` (`normal` or `anomaly`); where there are such columns `defect`, `mask` (path of
    ///   a picture that is bright where the defects are) and a group,
    /// - `polygons.csv`: `image`, `class`, `polygon` ("x,y x,y ...", pixels), a line for each marked defect,
    /// - `boxes.csv`: `image`, `x1`, `y1`, `x2`, `y2`, `class`, a line for each marked defect,
    /// - `images.csv`: `image`, and perhaps a group: beside polygons or boxes it lists the pictures without any, too.
    ///
    /// Where neither labels nor marks are there: the folders `normal/` and `anomaly/`, with whatever folders are in them;
    /// those in `anomaly/` are named after their defects. Pictures of other formats are listed too, so that whoever opens
    /// them says so.
    /// - Parameter group: Column of `labels.csv` or `images.csv` that names each picture's group; nil for the first of
    ///   `groupColumns` that is there.
    package static func read(_ folder: String, group: String? = nil) throws(FileError) -> LabelledFolder {
        guard Files.isFolder(folder) else { throw FileError(path: folder, reason: "no such folder") }
        var tables = LabelTables(folder: folder, group: group)
        let listed = try tables.read()
        let items = if let listed { listed } else { try readFolders(folder) }
        guard !items.isEmpty else {
            throw FileError(
                path: folder,
                reason: "no pictures; expected labels.csv, polygons.csv or boxes.csv, or PNG, JPEG, PGM or PPM files "
                    + "in normal/ and anomaly/"
            )
        }
        guard items.count <= maxPictures else {
            throw FileError(path: folder, reason: "\(items.count) pictures; expected at most \(maxPictures)")
        }
        if let group, tables.groupColumn == nil {
            throw FileError(
                path: folder,
                reason: "no column \(group) in labels.csv or images.csv; expected the column that names groups"
            )
        }
        let labelled = LabelledFolder(
            folder: folder,
            items: items.sorted { NaturalOrder.precedes($0.name, $1.name) },
            groupColumn: tables.groupColumn
        )
        let classes = labelled.categories.count
        guard classes <= DefectMask.maxCategories else {
            throw FileError(
                path: folder,
                reason: "\(classes) classes of defects; expected at most \(DefectMask.maxCategories)"
            )
        }
        return labelled
    }

    package func path(of item: Item) -> String { "\(folder)/\(item.name)" }

    /// Whether the file's ending is one of a picture that can be read.
    package static func isPicture(_ name: String) -> Bool {
        let lower = name.lowercased()
        return [".png", ".jpg", ".jpeg", ".pgm", ".ppm"].contains { lower.hasSuffix($0) }
    }

    /// Whether it is known where the defects are on at least one picture.
    package var hasMarks: Bool { items.contains { $0.isBad && $0.hasPlaces } }

    /// Categories of all marked defects, in natural order.
    package var categories: [DefectCategory] {
        Set(items.flatMap(\.categories)).sorted { NaturalOrder.precedes($0.rawValue, $1.rawValue) }
    }

    /// Where the defects of a picture of this size are, by the numbers of `categories`; nil where it is not known.
    package func mask(
        of item: Item,
        width: Int,
        height: Int,
        categories: [DefectCategory]
    ) throws(PictureError) -> DefectMask? {
        guard item.hasPlaces else { return nil }
        guard let file = item.mask, let category = item.categories.first else {
            return DefectMask(item.marks ?? [], width: width, height: height, categories: categories)
        }
        let path = "\(folder)/\(file)"
        let mask = DefectMask(try PictureCodec.load(path: path))
        guard mask.width == width, mask.height == height else {
            throw PictureError(
                name: path,
                reason: "mask of \(mask.width)x\(mask.height); expected \(width)x\(height), the size of \(item.name)"
            )
        }
        guard let number = categories.firstIndex(of: category) else { return nil }
        return DefectMask(width: width, height: height, values: mask.values.map { $0 * UInt8(number + 1) })
    }

    /// The picture with where its defects are, to learn from; nil where that is not known.
    package func marked(_ item: Item, categories: [DefectCategory]) -> MarkedPicture? {
        guard item.hasPlaces else { return nil }
        return MarkedPicture(name: item.name, group: item.group) {
            let picture = try PictureCodec.load(path: path(of: item))
            let mask = try mask(of: item, width: picture.width, height: picture.height, categories: categories)
            guard let mask else { throw PictureError(name: item.name, reason: "not known where its defects are") }
            return (picture, mask)
        }
    }

    /// Folders below `normal/` or `anomaly/`.
    private static let maxDepth = 8
    /// Endings of pictures that cannot be read.
    private static let otherPictures = [".bmp", ".tif", ".tiff", ".webp", ".gif", ".heic", ".avif", ".jp2", ".pbm"]

    private static func readFolders(_ folder: String) throws(FileError) -> [Item] {
        var items: [Item] = []
        for (name, isBad) in [("normal", false), ("anomaly", true)] where Files.isFolder("\(folder)/\(name)") {
            try look(in: folder, below: [name], isBad: isBad, into: &items)
        }
        return items
    }

    private static func look(
        in folder: String,
        below: [String],
        isBad: Bool,
        into items: inout [Item]
    ) throws(FileError) {
        let path = below.joined(separator: "/")
        guard below.count <= maxDepth else {
            throw FileError(path: "\(folder)/\(path)", reason: "more than \(maxDepth) folders below each other")
        }
        for file in try Files.names(in: "\(folder)/\(path)", atMost: maxPictures) {
            let name = "\(path)/\(file)"
            if Files.isFolder("\(folder)/\(name)") {
                try look(in: folder, below: below + [file], isBad: isBad, into: &items)
            } else if isPicture(file) || otherPictures.contains(where: file.lowercased().hasSuffix) {
                items.append(Item(name: name, isBad: isBad, defect: isBad && below.count > 1 ? below[1] : ""))
            }
            guard items.count <= maxPictures else {
                throw FileError(path: folder, reason: "more than \(maxPictures) pictures")
            }
        }
    }
}
