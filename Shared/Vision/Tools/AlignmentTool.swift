/// Where a part lies: a taught template is found wherever it has moved, turned or grown to, to a fraction of a pixel.
///
/// As the recipe's own `alignment` it moves the regions of all tools with the part; as a tool it says that the part is
/// there, and where.
///
/// ```yaml
/// alignment:
///   template: master.png      # picture of a good part, in whose pixels the recipe's regions are
///   box: [120, 80, 200, 160]  # what to look for in it; `boxes` takes several that move as one; all of it by default
///   margin: 40                # pixels that it may be away
///   max_rotation: 10          # degrees
///   max_scale: 0.05           # share by which it may be larger or smaller
///   min_score: 0.65           # likeness from which it is found
/// ```
package struct AlignmentSettings: ToolSettings {
    package static let key = "alignment"
    package static let task = VisionTask.detect
    package var categories: [DefectCategory] { [.misplaced] }
    private let template: RecipeFile
    private let boxes: [Box]
    private let range: SearchRange

    package init(_ section: RecipeSection) {
        template = section.file("template")
        var boxes = section.sections("boxes").compactMap { $0.box("box") }
        if let box = section.box("box") { boxes.append(box) }
        self.boxes = boxes
        range = SearchRange(
            margin: section.number("margin", 0...4_000, default: 32),
            rotation: section.number("max_rotation", 0...180, default: 0),
            scale: section.number("max_scale", 0...0.25, default: 0),
            minScore: section.number("min_score", 0.3...1, default: 0.65)
        )
    }

    package func load(_ files: RecipeFiles) throws -> any Tool { try aligner(files) }

    /// For the recipe's own alignment.
    package func aligner(_ files: RecipeFiles) throws -> AlignmentTool {
        let bytes = try files.read(template, atMost: PictureCodec.maxFileBytes)
        let master = try PictureCodec.decode(bytes, name: files.path(of: template))
        return try AlignmentTool(master: master, boxes: boxes, range: range)
    }
}

/// Finds a template's pose.
package struct AlignmentTool: Tool {
    private let search: ShapeSearch
    private let pool = ScratchPool()

    /// - Parameters:
    ///   - boxes: What to look for in the master picture; all of it where there are none.
    ///   - margin: Pixels that it may be away, in each direction.
    ///   - rotation: Degrees that it may be turned, in each direction.
    ///   - scale: Share by which it may be larger or smaller.
    ///   - minScore: Likeness from which it is found, 0 to 1.
    package init(
        master: Picture,
        boxes: [Box] = [],
        margin: Double,
        rotation: Double = 0,
        scale: Double = 0,
        minScore: Double = 0.65
    ) throws(ToolError) {
        let range = SearchRange(margin: margin, rotation: rotation, scale: scale, minScore: minScore)
        try self.init(master: master, boxes: boxes, range: range)
    }

    init(master: Picture, boxes: [Box], range: SearchRange) throws(ToolError) {
        let all = Box(x: 0, y: 0, width: master.width, height: master.height)
        let boxes = boxes.isEmpty ? [all] : boxes
        for box in boxes
        where box.x < 0 || box.y < 0 || box.width < 16 || box.height < 16 || box.x + box.width > master.width
            || box.y + box.height > master.height
        {
            throw ToolError(
                "box \(box) of the alignment: expected at least 16x16 pixels within the template picture of "
                    + "\(master.width)x\(master.height)"
            )
        }
        let model = try ShapeModel(master, boxes: boxes, turns: range.rotation > 0, grows: range.scale > 0)
        search = ShapeSearch(model: model, range: range)
    }

    /// The part's pose; an error where the template is not found within its range.
    package func pose(in picture: Picture) throws(ToolError) -> Pose {
        let found = try pool.lend { scratch throws(ToolError) in try find(in: picture, scratch) }
        guard let found, found.score >= search.range.minScore else {
            let likeness = Self.shown(found?.score ?? 0)
            throw ToolError(
                "the alignment's template is not found: best likeness \(likeness), expected at least "
                    + "\(Self.shown(search.range.minScore)) within \(Int(search.range.margin)) pixels: check that the part "
                    + "is there, the light, and the alignment's margin, max_rotation and max_scale"
            )
        }
        return found
    }

    /// Where the part lies; nil where the template is not found on it. An error where the picture is too small.
    package func seek(in picture: Picture) throws(ToolError) -> Pose? {
        let found = try pool.lend { scratch throws(ToolError) in try find(in: picture, scratch) }
        return found.flatMap { $0.score >= search.range.minScore ? $0 : nil }
    }

    /// Takes the recipe's regions to where the part lies.
    package func warp(for pose: Pose) -> PoseWarp {
        PoseWarp(pose, centreX: search.model.centreX, centreY: search.model.centreY)
    }

    /// A part that is not found is misplaced; one that is has its pose as features.
    package func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        let found = try pool.lend { scratch throws(ToolError) in try find(in: part.picture, scratch) }
        timer.finish("align")
        let range = search.range
        let likeness = max(found?.score ?? 0, 0)
        let isFound = likeness >= range.minScore
        let score = min(
            10,
            isFound ? (1 - likeness) / max(1 - range.minScore, 1e-9) : range.minScore / max(likeness, 0.1)
        )
        var features = [
            Feature(name: "likeness", value: likeness, unit: "C62", lowerLimit: range.minScore, conforms: isFound)
        ]
        guard let found, isFound else {
            let box = Box(x: 0, y: 0, width: part.picture.width, height: part.picture.height)
            let defect = FoundDefect(.misplaced, box, area: box.width * box.height, score: max(1, score))
            return ToolResult(score: max(1, score), defects: [defect], features: features)
        }
        let (length, unit) = part.lengthUnit
        features += [
            Feature(name: "x", value: found.dx * length, unit: unit, conforms: true),
            Feature(name: "y", value: found.dy * length, unit: unit, conforms: true),
            Feature(name: "angle", value: found.angle, unit: "DD", conforms: true),
            Feature(name: "size", value: 100 * found.scale, unit: "P1", conforms: true),
        ]
        return ToolResult(score: min(score, 0.999), defects: [], features: features)
    }

    /// The best pose within the range, whatever its likeness.
    private func find(in picture: Picture, _ scratch: Scratch) throws(ToolError) -> Pose? {
        let model = search.model
        let range = search.range
        let around = range.margin + 2 + (range.rotation > 0 ? 0.5 : 0)
        let reachX = around + turned(model.reachX, model.reachY)
        let reachY = around + turned(model.reachY, model.reachX)
        let left = max(0, Int(model.centreX - reachX))
        let top = max(0, Int(model.centreY - reachY))
        let right = min(picture.width, Int(model.centreX + reachX) + 2)
        let bottom = min(picture.height, Int(model.centreY + reachY) + 2)
        guard right - left >= 16, bottom - top >= 16 else {
            throw ToolError(
                "picture of \(picture.width)x\(picture.height) pixels; the alignment's template lies at "
                    + "(\(Int(model.centreX)), \(Int(model.centreY))): expected a picture as large as the template's"
            )
        }
        let window = grey(of: picture, left, top, right - left, bottom - top, scratch)
        let (x, y) = (model.centreX - Double(left), model.centreY - Double(top))
        guard let found = search.best(in: window, centreX: x, centreY: y, scratch) else { return nil }
        let pose = Pose(
            dx: found.x - x,
            dy: found.y - y,
            angle: found.radians * 180 / Double.pi,
            scale: found.scale,
            score: found.score
        )
        let isWithin =
            abs(pose.dx) <= range.margin + 1 && abs(pose.dy) <= range.margin + 1
            && abs(pose.angle) <= range.rotation * 1.05 + 0.1 && abs(pose.scale - 1) <= range.scale * 1.05 + 0.001
        return isWithin ? pose : nil
    }

    /// Half the extent of the template in one direction once it is turned and grown as far as it may be.
    private func turned(_ along: Double, _ across: Double) -> Double {
        let angle = min(search.range.rotation, 90) * Double.pi / 180
        return (along + across * angle).rounded(.up) * (1 + search.range.scale)
    }

    private func grey(
        of picture: Picture,
        _ left: Int,
        _ top: Int,
        _ width: Int,
        _ height: Int,
        _ scratch: Scratch
    ) -> Plane<UInt8> {
        let window = scratch.plane(UInt8.self, width, height)
        picture.pixels.withUnsafeBufferPointer { pixels in
            guard let base = pixels.baseAddress else { return }
            for y in 0..<height {
                let start = base + ((top + y) * picture.width + left) * picture.channels
                if picture.channels == 1 {
                    window.row(y).update(from: start, count: width)
                } else {
                    PixelLoops.grey(start, into: window.row(y), count: width)
                }
            }
        }
        return window
    }

    private static func shown(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
}

extension FoundDefect {
    init(_ category: DefectCategory, _ box: Box, area: Int, score: Double) {
        self.init(
            category: category,
            x: box.x,
            y: box.y,
            width: box.width,
            height: box.height,
            area: area,
            score: score
        )
    }
}

extension PartView {
    /// What one pixel is in the unit that lengths are told in: millimetres where the recipe has a scale, else pixels.
    var lengthUnit: (length: Double, unit: String) {
        millimetresPerPixel.map { ($0, "MMT") } ?? (1, "E37")
    }
}
