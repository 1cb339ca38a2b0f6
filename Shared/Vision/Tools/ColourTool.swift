/// Checks a region's colour against the taught one: the mean colour by CIEDE2000, or the share of pixels that have it.
///
/// ```yaml
/// colour:
///   reference: [182, 34, 40]  # taught colour: mean red, green, blue of the region, 0 to 255
///   delta_e: 3                # largest difference by CIEDE2000 that is good
///   min_share: 0.9            # then it is each pixel's difference, and this share of pixels must be good
/// ```
package struct ColourSettings: ToolSettings {
    package static let key = "colour"
    package static let task = VisionTask.inspect
    package var categories: [DefectCategory] { [.colour] }

    /// Red, green, blue, 0 to 255.
    package var reference: [Double]
    package var deltaE: Double
    /// Shares of pixels, 0 to 1; nil for both compares the mean colour.
    package var minShare: Double?
    package var maxShare: Double?

    package init(reference: [Double], deltaE: Double, minShare: Double? = nil, maxShare: Double? = nil) {
        precondition(reference.count == 3)
        (self.reference, self.deltaE, self.minShare, self.maxShare) = (reference, deltaE, minShare, maxShare)
    }

    package init(_ section: RecipeSection) {
        let taught = section.numbers("reference", count: 3...3, 0...255)
        reference = taught.count == 3 ? taught : [0, 0, 0]
        deltaE = section.number("delta_e", 0.1...100)
        minShare = section.optionalNumber("min_share", 0.001...1)
        maxShare = section.optionalNumber("max_share", 0...0.999)
        if let minShare, let maxShare, maxShare < minShare {
            section.note("max_share", found: "\(maxShare)", expected: "at least min_share (\(minShare))")
        }
    }

    package func load(_ files: RecipeFiles) throws -> any Tool { ColourTool(self) }
}

/// Checks colours by its settings.
package struct ColourTool: Tool {
    private let settings: ColourSettings
    private let reference: LabColour
    /// For shares: whether a colour of 6 bits a channel is near the taught one.
    private let isNear: [Bool]

    package init(_ settings: ColourSettings) {
        self.settings = settings
        let reference = LabColour(red: settings.reference[0], green: settings.reference[1], blue: settings.reference[2])
        self.reference = reference
        let bySharedTable = settings.minShare != nil || settings.maxShare != nil
        isNear = bySharedTable ? Self.table(reference, settings.deltaE) : []
    }

    package func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        guard part.picture.channels == 3 else {
            throw ToolError("a grey picture; the colour tool needs one with red, green and blue")
        }
        let result = isNear.isEmpty ? byMean(part.picture) : byShare(part.picture)
        timer.finish("colour")
        return result
    }

    private func byMean(_ picture: Picture) -> ToolResult {
        let mean = LabColour.mean(of: picture)
        let difference = mean.difference(to: reference)
        let score = difference / settings.deltaE
        let feature = Feature(
            name: "colour difference",
            value: difference,
            unit: "C62",
            upperLimit: settings.deltaE,
            conforms: score < 1
        )
        let others = [("lightness", mean.l), ("red-green", mean.a), ("yellow-blue", mean.b)].map {
            Feature(name: $0.0, value: $0.1, unit: "C62", conforms: true)
        }
        return result(score, [feature] + others, picture)
    }

    private func byShare(_ picture: Picture) -> ToolResult {
        let count = picture.width * picture.height
        var near = 0
        picture.pixels.withUnsafeBufferPointer { pixels in
            isNear.withUnsafeBufferPointer { table in
                for index in 0..<count {
                    let (red, green, blue) = (pixels[3 &* index], pixels[3 &* index &+ 1], pixels[3 &* index &+ 2])
                    let bin = Int(red >> 2) << 12 | Int(green >> 2) << 6 | Int(blue >> 2)
                    near &+= table[bin] ? 1 : 0
                }
            }
        }
        let share = Double(near) / Double(count)
        let (least, most) = (settings.minShare, settings.maxShare)
        let shortfall = least.map { share >= $0 ? 0 : 1 + ($0 - share) / $0 } ?? 0
        let excess = most.map { share <= $0 ? 0 : 1 + (share - $0) / (1 - $0) } ?? 0
        let score = max(shortfall, excess)
        let feature = Feature(
            name: "share of colour",
            value: 100 * share,
            unit: "P1",
            lowerLimit: least.map { 100 * $0 },
            upperLimit: most.map { 100 * $0 },
            conforms: score < 1
        )
        return result(score, [feature], picture)
    }

    private func result(_ score: Double, _ features: [Feature], _ picture: Picture) -> ToolResult {
        let box = Box(x: 0, y: 0, width: picture.width, height: picture.height)
        let defects = score >= 0.5 ? [FoundDefect(.colour, box, area: box.width * box.height, score: score)] : []
        return ToolResult(score: score, defects: defects, features: features)
    }

    private static func table(_ reference: LabColour, _ limit: Double) -> [Bool] {
        (0..<64 * 64 * 64).map { bin in
            func level(_ bits: Int) -> Double { Double(bits & 63) * 4 + 1.5 }
            let colour = LabColour(red: level(bin >> 12), green: level(bin >> 6), blue: level(bin))
            return colour.difference(to: reference) <= limit
        }
    }
}
