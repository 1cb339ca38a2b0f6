/// Draws what an inspection found onto a copy of the picture: regions, the part's place, defects, what was measured, and
/// the verdict in words. Colours are those of Okabe and Ito (2008), which the colour-blind tell apart too.
package struct Overlay {
    package struct Colour: Equatable, Sendable {
        let red, green, blue: UInt8

        package static let pass = Colour(red: 0, green: 158, blue: 115)
        package static let fail = Colour(red: 213, green: 94, blue: 0)
        package static let uncertain = Colour(red: 240, green: 228, blue: 66)
        package static let region = Colour(red: 86, green: 180, blue: 233)
        package static let pose = Colour(red: 204, green: 121, blue: 167)
        package static let black = Colour(red: 0, green: 0, blue: 0)
        package static let white = Colour(red: 255, green: 255, blue: 255)

        /// What can be read on it.
        var ink: Colour { 3 * Int(red) + 6 * Int(green) + Int(blue) > 1_280 ? .black : .white }
    }

    /// Longest side of a picture that is drawn on at its own size.
    package static let longestSide = 2_048

    /// Pixels drawn for each pixel of the judged picture.
    private let size: Double
    private let width: Int
    private let height: Int
    private var pixels: [UInt8]
    /// Pixels of a line's thickness, and of a dot of a letter.
    private let thickness: Int

    /// Reduced to `longestSide` where the picture is larger; all coordinates remain the judged picture's.
    package init(_ picture: Picture, longestSide: Int = Overlay.longestSide) {
        let longest = max(picture.width, picture.height)
        size = min(1, Double(longestSide) / Double(longest))
        width = max(1, Int(Double(picture.width) * size))
        height = max(1, Int(Double(picture.height) * size))
        thickness = max(1, (max(width, height) + 160) / 320)
        pixels = Self.reduced(picture, width, height)
    }

    /// What was drawn, red, green, blue.
    package var picture: Picture { Picture(unchecked: pixels, width: width, height: height, channels: 3) }

    /// All there is to be shown of a finding. `warp` places the recipe's regions on the part; `marks` is what people
    /// marked.
    package static func drawn(
        _ finding: Finding,
        on picture: Picture,
        recipe: Recipe? = nil,
        warp: PoseWarp? = nil,
        marks: [MarkedDefect] = [],
        longestSide: Int = Overlay.longestSide
    ) -> Picture {
        var overlay = Overlay(picture, longestSide: longestSide)
        for mark in marks { overlay.mark(mark) }
        for (name, box) in (recipe?.regions ?? [:]).sorted(by: { $0.key < $1.key }) {
            overlay.region(box, name, warp: warp)
        }
        if let warp { overlay.pose(warp) }
        for defect in finding.defects.reversed() {
            overlay.defect(defect.found, isFailing: finding.verdict == .fail && defect.found.score >= 1)
        }
        overlay.measures(finding.features)
        overlay.banner(finding)
        return overlay.picture
    }

    // MARK: What is shown

    /// A region of the recipe where it lies on the part.
    package mutating func region(_ box: Box, _ name: String, warp: PoseWarp? = nil) {
        let (left, top) = (Double(box.x), Double(box.y))
        let (right, bottom) = (left + Double(box.width) - 1, top + Double(box.height) - 1)
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            .map { warp?.place(x: $0.0, y: $0.1) ?? (x: $0.0, y: $0.1) }
        for (index, corner) in corners.enumerated() { line(corner, corners[(index + 1) % 4], .region, thickness) }
        let place = scaled(corners[0])
        label(name, x: place.x, y: place.y + 2 * thickness, on: .region)
    }

    /// The axes of the part's own frame.
    package mutating func pose(_ warp: PoseWarp) {
        let middle = (x: warp.centreX, y: warp.centreY)
        let reach = 0.12 * Double(max(width, height)) / size
        let from = warp.place(x: middle.x, y: middle.y)
        line(from, warp.place(x: middle.x + reach, y: middle.y), .pose, 2 * thickness)
        line(from, warp.place(x: middle.x, y: middle.y + reach), .pose, 2 * thickness)
    }

    /// A defect as a person marked it.
    package mutating func mark(_ mark: MarkedDefect) {
        let box = mark.box
        let corners =
            mark.outline?.map { (x: $0.x - 0.5, y: $0.y - 0.5) }
            ?? [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
            .map { (x: $0.0 - 0.5, y: $0.1 - 0.5) }
        for (index, corner) in corners.enumerated() {
            line(corner, corners[(index + 1) % corners.count], .pose, thickness)
        }
    }

    /// A defect's box, with its category and score.
    package mutating func defect(_ defect: FoundDefect, isFailing: Bool) {
        let colour = isFailing ? Colour.fail : .uncertain
        let (left, top) = (Double(defect.x) - 1, Double(defect.y) - 1)
        let (right, bottom) = (Double(defect.x + defect.width), Double(defect.y + defect.height))
        let corners = [(x: left, y: top), (x: right, y: top), (x: right, y: bottom), (x: left, y: bottom)]
        for index in 0..<4 { line(corners[index], corners[(index + 1) % 4], .black, thickness + 3) }
        for index in 0..<4 { line(corners[index], corners[(index + 1) % 4], colour, thickness + 1) }
        let (above, below) = (scaled(corners[0]), scaled(corners[3]))
        let fits = above.y >= labelHeight * 2
        label(
            "\(defect.category.rawValue) \(Self.shown(defect.score, digits: 1))",
            x: above.x,
            y: fits ? above.y - labelHeight - thickness : below.y + thickness + 1,
            on: colour
        )
    }

    /// What was counted, read or measured, from the lower border upwards; as many as half the picture holds.
    package mutating func measures(_ features: [PartFeature]) {
        let shown = features.filter {
            $0.feature.lowerLimit != nil || $0.feature.upperLimit != nil || !$0.feature.conforms
        }
        .prefix(max(1, height / 2 / (labelHeight + 1)))
        for (index, part) in shown.reversed().enumerated() {
            let feature = part.feature
            let unit = ["MMT": " mm", "E37": " px", "P1": " %", "DD": " deg"][feature.unit] ?? ""
            let digits = feature.value == feature.value.rounded() ? 0 : 3
            let value = feature.text.isEmpty ? Self.shown(feature.value, digits: digits) + unit : feature.text
            label(
                "\(part.tool) \(feature.name): \(value)\(feature.conforms ? "" : " !")",
                x: 0,
                y: height - (index + 1) * (labelHeight + 1),
                on: feature.conforms ? .pass : .fail
            )
        }
    }

    /// The verdict in words across the upper border.
    package mutating func banner(_ finding: Finding) {
        let (word, colour): (String, Colour) =
            switch finding.verdict {
            case .pass: ("PASS", .pass)
            case .uncertain: ("UNCERTAIN", .uncertain)
            case .fail: ("FAIL", .fail)
            }
        fill(x: 0, y: 0, width: width, height: labelHeight + thickness, colour)
        write("\(word) \(Self.shown(finding.score, digits: 2))", x: 2 * thickness, y: 2 * thickness, colour.ink)
    }

    // MARK: Drawing

    /// Pixels of a label from top to bottom.
    var labelHeight: Int { (BitmapFont.height + 3) * thickness }

    mutating func label(_ text: String, x: Int, y: Int, on colour: Colour) {
        let room = text.count * (BitmapFont.width + 1) * thickness + 3 * thickness
        let left = max(0, min(x, width - room))
        let top = max(0, min(y, height - labelHeight))
        fill(x: left, y: top, width: room, height: labelHeight, colour)
        write(text, x: left + 2 * thickness, y: top + 2 * thickness, colour.ink)
    }

    private mutating func write(_ text: String, x: Int, y: Int, _ colour: Colour) {
        var left = x
        for letter in text {
            for (column, dots) in BitmapFont.columns(of: letter).enumerated() {
                for row in 0..<BitmapFont.height where dots >> UInt8(row) & 1 == 1 {
                    fill(
                        x: left + column * thickness,
                        y: y + row * thickness,
                        width: thickness,
                        height: thickness,
                        colour
                    )
                }
            }
            left += (BitmapFont.width + 1) * thickness
            if left >= width { return }
        }
    }

    private func scaled(_ place: (x: Double, y: Double)) -> (x: Int, y: Int) {
        let reach = 1e6
        func pixel(_ value: Double) -> Int { Int(min(max((value + 0.5) * size, -reach), reach).rounded(.down)) }
        return (pixel(place.x), pixel(place.y))
    }

    private mutating func line(
        _ from: (x: Double, y: Double),
        _ to: (x: Double, y: Double),
        _ colour: Colour,
        _ thickness: Int
    ) {
        let (start, end) = (scaled(from), scaled(to))
        let steps = max(abs(end.x - start.x), abs(end.y - start.y), 1)
        // What lies far outside is not worth walking along.
        guard steps <= 4 * (width + height) else { return }
        for step in 0...steps {
            let x = start.x + (end.x - start.x) * step / steps
            let y = start.y + (end.y - start.y) * step / steps
            fill(x: x - thickness / 2, y: y - thickness / 2, width: thickness, height: thickness, colour)
        }
    }

    private mutating func fill(x: Int, y: Int, width: Int, height: Int, _ colour: Colour) {
        let columns = max(0, x)..<max(0, x, min(self.width, x + width))
        for row in max(0, y)..<max(0, y, min(self.height, y + height)) {
            for column in columns {
                let place = 3 * (row * self.width + column)
                (pixels[place], pixels[place + 1], pixels[place + 2]) = (colour.red, colour.green, colour.blue)
            }
        }
    }

    /// The mean of the pixels that each new one stands for, in three channels.
    private static func reduced(_ picture: Picture, _ width: Int, _ height: Int) -> [UInt8] {
        let channels = picture.channels
        var out = [UInt8](repeating: 0, count: width * height * 3)
        picture.pixels.withUnsafeBufferPointer { source in
            for y in 0..<height {
                let rows =
                    y * picture.height
                    / height..<max((y + 1) * picture.height / height, y * picture.height / height + 1)
                for x in 0..<width {
                    let first = x * picture.width / width
                    let columns = first..<max((x + 1) * picture.width / width, first + 1)
                    for channel in 0..<3 {
                        var sum = 0
                        for row in rows {
                            for column in columns {
                                sum += Int(
                                    source[(row * picture.width + column) * channels + min(channel, channels - 1)]
                                )
                            }
                        }
                        let count = rows.count * columns.count
                        out[(y * width + x) * 3 + channel] = UInt8((sum + count / 2) / count)
                    }
                }
            }
        }
        return out
    }

    private static func shown(_ value: Double, digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e9 else { return value > 0 ? ">1e9" : "-" }
        let unit = [1, 10, 100, 1_000][digits]
        let scaled = Int((abs(value) * Double(unit)).rounded())
        let fraction = String(scaled % unit + unit).dropFirst()
        return (value < 0 && scaled > 0 ? "-" : "") + "\(scaled / unit)" + (digits > 0 ? ".\(fraction)" : "")
    }
}
