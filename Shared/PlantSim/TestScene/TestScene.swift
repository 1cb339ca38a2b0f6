import SeededRandom

package import Vision

/// A defect that is really there.
package struct TrueDefect: Equatable, Sendable {
    /// The six classic defects of bare printed circuit boards, named as in the DeepPCB data set
    /// (Tang, He, Huang, Yang: "Online PCB Defect Detector On A New PCB Defect Dataset", 2019).
    package enum Category: String, CaseIterable, Sendable {
        /// A trace is broken.
        case open
        /// Two pieces of copper touch.
        case short
        /// An edge has a bite out of it.
        case mousebite
        /// An edge has a thorn.
        case spur
        /// Copper lies where none belongs.
        case copper
        /// Copper has a hole.
        case pinHole = "pin-hole"
    }

    package let category: Category
    /// Left edge of the smallest box around the defect, pixels of the picture.
    package let x: Int
    /// Top edge, pixels of the picture.
    package let y: Int
    package let width: Int
    package let height: Int
}

/// One part as the camera saw it, with what is truly wrong with it.
package struct ScenePart: Sendable {
    package let picture: Picture
    /// Empty on a good part.
    package let truth: [TrueDefect]
}

/// A line of printed circuit boards that exists only here: copper traces, pads and vias on substrate, with true,
/// labelled defects. The same seed and part number give the same picture, pixel by pixel.
///
/// No two shots are alike: each has its own shift (up to 6 pixels each way, with a fraction), blur, brightness,
/// contrast and sensor noise. Most defects can be found; about one in twelve is so small or faint that missing it is no
/// shame.
package struct TestScene: Sendable {
    /// The least grey levels by which a pixel must differ, before blur and noise, to count as part of a defect.
    private static let threshold = 6
    private static let stream: UInt64 = 0x5CE4E

    /// Pixels of a picture each way.
    package let size: Int
    private let seed: UInt64
    private let defectRate: Double
    private let layout: BoardLayout
    private let surface: BoardSurface
    private let camera: SceneCamera

    /// - Parameters:
    ///   - seed: the board's artwork and everything that happens to its parts.
    ///   - defectRate: share of parts with at least one defect, 0...1.
    ///   - size: pixels of a picture each way, 160...8192.
    package init(seed: UInt64, defectRate: Double, size: Int = 640) {
        precondition((160...8192).contains(size), "a test scene of \(size) pixels; expected 160...8192")
        precondition((0...1).contains(defectRate), "a defect rate of \(defectRate); expected 0...1")
        self.seed = seed
        self.defectRate = defectRate
        self.size = size
        let side = size + 2 * SceneCamera.border
        layout = BoardLayout(seed: seed, side: side)
        surface = BoardSurface(layout: layout, seed: seed, side: side)
        camera = SceneCamera(side: size)
    }

    /// The golden board: no defect, no shift, no noise.
    package func template() -> Picture {
        var unused = SplitMix64(seed: seed, stream: 0)
        return picture(camera.take(surface.grey, SceneCamera.Shot(), &unused))
    }

    /// The part with this number, from 0, as it comes off the line.
    package func part(_ index: Int) -> ScenePart {
        var random = SplitMix64(seed: seed ^ Self.stream, stream: UInt64(truncatingIfNeeded: index))
        let shot = SceneCamera.Shot.random(&random)
        var noise = SplitMix64(seed: random.next(), stream: 1)
        var grey = surface.grey
        let truth = random.chance(defectRate) ? spoil(&grey, shot, &random) : []
        return ScenePart(picture: picture(camera.take(grey, shot, &noise)), truth: truth)
    }

    /// The same part in the same shot, noise included, as it would be without its defects.
    package func flawless(_ index: Int) -> Picture {
        var random = SplitMix64(seed: seed ^ Self.stream, stream: UInt64(truncatingIfNeeded: index))
        let shot = SceneCamera.Shot.random(&random)
        var noise = SplitMix64(seed: random.next(), stream: 1)
        return picture(camera.take(surface.grey, shot, &noise))
    }

    private func picture(_ pixels: [UInt8]) -> Picture {
        do {
            return try Picture(width: size, height: size, channels: 1, pixels: pixels)
        } catch {
            preconditionFailure("the scene's own geometry is wrong: \(error)")
        }
    }

    /// Puts one to three defects that keep clear of each other into `grey`.
    private func spoil(_ grey: inout [UInt8], _ shot: SceneCamera.Shot, _ random: inout SplitMix64) -> [TrueDefect] {
        let draw = random.next() % 100
        let wanted = draw < 70 ? 1 : draw < 92 ? 2 : 3
        let margin = Float(SceneCamera.border) + SceneCamera.maximumShift + 8
        let maker = DefectMaker(layout: layout, surface: surface, margin: margin)
        var truth: [TrueDefect] = []
        for _ in 0..<wanted * 8 where truth.count < wanted {
            let category = TrueDefect.Category.allCases[Int(random.next() % 6)]
            guard let plan = maker.plan(category, &random) else { continue }
            var spoilt = grey
            let box = surface.patch(
                &spoilt,
                shapes: plan.shapes,
                adding: plan.adding,
                depth: plan.depth,
                threshold: Self.threshold
            )
            guard let box else { continue }
            let found = defect(category, box, shot)
            guard !truth.contains(where: { $0.isWithin(12, of: found) }) else { continue }
            grey = spoilt
            truth.append(found)
        }
        return truth
    }

    /// From the surface to the picture: moved by the shot, and one pixel wider each way, as far as the lens spreads it.
    private func defect(
        _ category: TrueDefect.Category,
        _ box: (left: Int, top: Int, right: Int, bottom: Int),
        _ shot: SceneCamera.Shot
    ) -> TrueDefect {
        func place(_ surface: Int, _ shift: Float, _ spread: Float) -> Float {
            Float(surface - SceneCamera.border) + shift + spread
        }
        let left = Int(place(box.left, shot.shift.x, -1).rounded(.down))
        let top = Int(place(box.top, shot.shift.y, -1).rounded(.down))
        let right = Int(place(box.right, shot.shift.x, 1).rounded(.up))
        let bottom = Int(place(box.bottom, shot.shift.y, 1).rounded(.up))
        return TrueDefect(category: category, x: left, y: top, width: right - left + 1, height: bottom - top + 1)
    }
}

extension TrueDefect {
    /// Whether fewer than `gap` pixels lie between the two boxes.
    fileprivate func isWithin(_ gap: Int, of other: Self) -> Bool {
        x < other.x + other.width + gap && other.x < x + width + gap
            && y < other.y + other.height + gap && other.y < y + height + gap
    }
}
