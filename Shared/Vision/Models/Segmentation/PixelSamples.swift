import SeededRandom

/// Where a picture's defects are: for each pixel, row by row, 0 for none, else the number of its category, from 1.
package struct DefectMask: Equatable, Sendable {
    /// Most categories that can be told apart.
    package static let maxCategories = 255

    package let width: Int
    package let height: Int
    package let values: [UInt8]

    package init(width: Int, height: Int, values: [UInt8]) {
        precondition(values.count == width * height, "\(values.count) values, \(width)x\(height)")
        (self.width, self.height, self.values) = (width, height, values)
    }
}

/// A picture of which is known where its defects are, loaded when its turn comes.
package struct MarkedPicture: Sendable {
    package let name: String
    /// What it shares with other pictures, such as the object that it shows: none of them is judged by the others.
    package let group: String?
    /// The picture, and a mask of its size.
    package let load: @Sendable () throws -> (Picture, DefectMask)

    package init(
        name: String,
        group: String? = nil,
        load: @escaping @Sendable () throws -> (Picture, DefectMask)
    ) {
        (self.name, self.group, self.load) = (name, group, load)
    }
}

/// What a pixel classifier learns from of one picture: the features of cells that touch a defect and of others, drawn
/// by lot, that say what else there is.
struct PixelSamples: Sendable {
    /// Most cells of a picture that touch a defect.
    static let maxMarked = 2_000
    /// Most cells of a picture that touch none.
    static let maxOther = 1_500
    /// Most cells of either kind of all pictures together.
    static let budget = 200_000

    let source: AnomalyModel.Source
    let pictureWidth: Int
    let pictureHeight: Int
    /// Features of a cell.
    let depth: Int
    /// Cell by cell.
    let features: [Float]
    /// Share of each cell that belongs to each category, cell by cell, category by category; the rest is no defect.
    let shares: [Float]
    let count: Int

    /// - Parameters:
    ///   - pictures: How many there are.
    ///   - seed: For the lot; another for each picture, so that not the same places are drawn in all.
    init(
        _ pyramid: FeaturePyramid,
        mask: DefectMask,
        categories: Int,
        source: AnomalyModel.Source,
        pictures: Int,
        seed: UInt64
    ) {
        let cover = Self.cover(mask, pyramid.columns, pyramid.rows, categories)
        let cells = 0..<pyramid.columns * pyramid.rows
        func isMarked(_ cell: Int) -> Bool { (0..<categories).contains { cover[cell * categories + $0] > 0 } }
        var random = SplitMix64(seed: seed)
        let share = max(1, Self.budget / pictures)
        let marked = random.drawn(min(Self.maxMarked, share), of: cells.filter(isMarked))
        let other = random.drawn(min(Self.maxOther, share), of: cells.filter { !isMarked($0) })
        let chosen = marked + other
        self.source = source
        (pictureWidth, pictureHeight) = (mask.width, mask.height)
        (count, depth) = (chosen.count, pyramid.depth)
        shares = chosen.flatMap { cover[$0 * categories..<($0 + 1) * categories] }
        features = [Float](unsafeUninitializedCapacity: chosen.count * pyramid.depth) { out, initialised in
            for (index, cell) in chosen.enumerated() {
                let start = index * pyramid.depth
                let place = UnsafeMutableBufferPointer(rebasing: out[start..<start + pyramid.depth])
                pyramid.write(x: cell % pyramid.columns, y: cell / pyramid.columns, to: place)
            }
            initialised = chosen.count * pyramid.depth
        }
    }

    /// Share of each cell's pixels that belong to each category.
    static func cover(_ mask: DefectMask, _ columns: Int, _ rows: Int, _ categories: Int) -> [Float] {
        var cover = [Float](repeating: 0, count: columns * rows * categories)
        for row in 0..<rows {
            let lines = row * mask.height / rows..<max(row * mask.height / rows + 1, (row + 1) * mask.height / rows)
            for column in 0..<columns {
                let first = column * mask.width / columns
                let places = first..<max(first + 1, (column + 1) * mask.width / columns)
                let part = 1 / Float(lines.count * places.count)
                for line in lines {
                    for place in places {
                        let value = Int(mask.values[line * mask.width + place])
                        if value > 0 { cover[(row * columns + column) * categories + value - 1] += part }
                    }
                }
            }
        }
        return cover
    }
}

extension SplitMix64 {
    /// From -1 to 1.
    mutating func uniform() -> Float { Float(next() >> 40) / Float(1 << 23) - 1 }

    /// At most `count` of the values, by lot, in an order by lot (Fisher and Yates).
    mutating func drawn(_ count: Int, of values: [Int]) -> [Int] {
        var values = values
        let count = min(count, values.count)
        for index in 0..<count { values.swapAt(index, index + below(values.count - index)) }
        return Array(values.prefix(count))
    }
}
