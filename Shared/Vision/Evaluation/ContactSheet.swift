/// Pictures side by side with captions, as one picture: the worst of an evaluation at a glance.
package struct ContactSheet {
    /// Most pictures of one sheet.
    package static let maxPictures = 64
    /// Longest side of a picture on the sheet, pixels.
    package static let cellSide = 256
    private static let gap = 8

    private var cells: [(picture: Picture, caption: String)] = []

    package init() {}

    /// Whether there is no room for more.
    package var isFull: Bool { cells.count >= Self.maxPictures }

    /// Adds a picture as it is; those after the last that fits are left out.
    package mutating func add(_ picture: Picture, caption: String) {
        guard !isFull else { return }
        cells.append((Overlay(picture, longestSide: Self.cellSide).picture, caption))
    }

    /// Adds a picture with what was found on it, and what people marked.
    package mutating func add(
        _ finding: Finding,
        on picture: Picture,
        recipe: Recipe? = nil,
        marks: [MarkedDefect] = [],
        caption: String
    ) {
        guard !isFull else { return }
        let drawn = Overlay.drawn(finding, on: picture, recipe: recipe, marks: marks, longestSide: Self.cellSide)
        cells.append((drawn, caption))
    }

    /// The sheet, row by row in the order of adding; nil where nothing was added.
    package var picture: Picture? {
        guard !cells.isEmpty else { return nil }
        let columns = min(cells.count, max(1, Int(Double(cells.count).squareRoot().rounded(.up))))
        let rows = (cells.count + columns - 1) / columns
        let captionHeight = BitmapFont.height + 6
        let tallest = cells.reduce(0) { max($0, $1.picture.height) }
        let (cellWidth, cellHeight) = (Self.cellSide + Self.gap, tallest + captionHeight + Self.gap)
        let (width, height) = (columns * cellWidth + Self.gap, rows * cellHeight + Self.gap)
        var pixels = [UInt8](repeating: 32, count: width * height * 3)
        for (index, cell) in cells.enumerated() {
            let left = Self.gap + index % columns * cellWidth
            let top = Self.gap + index / columns * cellHeight
            let picture = cell.picture
            for row in 0..<picture.height {
                let place = ((top + row) * width + left) * 3
                let line = row * picture.width * 3
                pixels.replaceSubrange(
                    place..<place + picture.width * 3,
                    with: picture.pixels[line..<line + picture.width * 3]
                )
            }
            Self.write(cell.caption, x: left, y: top + tallest + 4, width, into: &pixels)
        }
        return Picture(unchecked: pixels, width: width, height: height, channels: 3)
    }

    /// A caption's last letters where it is too long: names end in what tells them apart.
    private static func write(_ caption: String, x: Int, y: Int, _ width: Int, into pixels: inout [UInt8]) {
        let room = cellSide / (BitmapFont.width + 1)
        let text = caption.count > room ? ".." + caption.suffix(room - 2) : caption
        for (index, letter) in text.enumerated() {
            for (column, dots) in BitmapFont.columns(of: letter).enumerated() {
                for row in 0..<BitmapFont.height where dots >> UInt8(row) & 1 == 1 {
                    let place = ((y + row) * width + x + index * (BitmapFont.width + 1) + column) * 3
                    for channel in 0..<3 { pixels[place + channel] = 255 }
                }
            }
        }
    }
}
