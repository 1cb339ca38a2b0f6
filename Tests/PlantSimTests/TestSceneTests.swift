import PlantSim
import Testing
import Vision

/// The test scene's promises, over many seeds.
@Suite struct TestSceneTests {
    private static let size = 240

    private func differing(_ left: Picture, _ right: Picture) -> [(x: Int, y: Int)] {
        zip(left.pixels, right.pixels).enumerated()
            .filter { $0.element.0 != $0.element.1 }
            .map { ($0.offset % left.width, $0.offset / left.width) }
    }

    @Test func sameSeedAndIndexGiveTheSamePicture() {
        for seed in UInt64(1)...6 {
            let first = TestScene(seed: seed, defectRate: 0.5, size: Self.size)
            let second = TestScene(seed: seed, defectRate: 0.5, size: Self.size)
            #expect(first.template() == second.template())
            // Asked for in another order, and twice.
            let third = second.part(3)
            #expect(first.part(0).picture == second.part(0).picture)
            #expect(first.part(3).picture == third.picture)
            #expect(first.part(3).truth == third.truth)
        }
    }

    @Test func otherSeedsAndIndicesGiveOtherPictures() {
        let scene = TestScene(seed: 1, defectRate: 0, size: Self.size)
        #expect(scene.part(0).picture != scene.part(1).picture)
        #expect(scene.template() != TestScene(seed: 2, defectRate: 0, size: Self.size).template())
    }

    @Test func pictureHasTheAskedSizeAndRealGreyLevels() {
        for size in [160, 203, 640] {
            let picture = TestScene(seed: 5, defectRate: 0, size: size).template()
            #expect(picture.width == size && picture.height == size && picture.channels == 1)
            let dark = picture.pixels.count { $0 < 100 }
            let bright = picture.pixels.count { $0 > 140 }
            // Substrate prevails, copper is there, and little lies between: nearly bilevel.
            #expect(dark > picture.pixels.count / 2)
            #expect(bright > picture.pixels.count / 25)
            #expect(dark + bright > picture.pixels.count * 8 / 10)
        }
    }

    /// A defect changes pixels inside its box and nowhere else, and its box is no larger than it must be.
    @Test func truthIsExactlyWhatChanged() {
        var seen: Set<TrueDefect.Category> = []
        var faulty = 0
        for seed in UInt64(1)...10 {
            let scene = TestScene(seed: seed, defectRate: 1, size: Self.size)
            for index in 0..<12 {
                let part = scene.part(index)
                let changed = differing(part.picture, scene.flawless(index))
                for defect in part.truth {
                    let inside = changed.filter { defect.contains($0.x, $0.y, margin: 0) }
                    #expect(!inside.isEmpty, "seed \(seed) part \(index): nothing changed in \(defect)")
                    #expect(defect.x >= 0 && defect.y >= 0, "seed \(seed) part \(index): \(defect)")
                    #expect(defect.x + defect.width <= Self.size && defect.y + defect.height <= Self.size)
                    let left = inside.map(\.x).min() ?? 0
                    let right = inside.map(\.x).max() ?? 0
                    #expect(defect.width - (right - left + 1) <= 6, "seed \(seed) part \(index): loose \(defect)")
                    seen.insert(defect.category)
                }
                let stray = changed.filter { pixel in
                    !part.truth.contains { $0.contains(pixel.x, pixel.y, margin: 2) }
                }
                #expect(
                    stray.isEmpty,
                    "seed \(seed) part \(index): \(stray.count) pixels changed outside \(part.truth)"
                )
                faulty += part.truth.isEmpty ? 0 : 1
            }
        }
        #expect(seen == Set(TrueDefect.Category.allCases))
        #expect(faulty >= 114)
    }

    @Test func goodPartEqualsTheTemplateButForShiftLightAndNoise() {
        for seed in UInt64(1)...3 {
            let scene = TestScene(seed: seed, defectRate: 0, size: Self.size)
            let template = scene.template()
            for index in 0..<3 {
                let part = scene.part(index)
                #expect(part.truth.isEmpty)
                #expect(part.picture == scene.flawless(index))
                let best = (-6...6).flatMap { dy in (-6...6).map { dx in correlation(part.picture, template, dx, dy) } }
                    .max()
                #expect((best ?? 0) > 0.96, "seed \(seed) part \(index): best correlation \(best ?? 0)")
            }
        }
    }

    @Test func defectRateIsTheShareOfFaultyParts() {
        let scene = TestScene(seed: 9, defectRate: 0.25, size: 160)
        let faulty = (0..<200).count { !scene.part($0).truth.isEmpty }
        #expect((30...70).contains(faulty))
    }

    /// Pearson's correlation over every third pixel of the part's middle, with the template moved by (dx, dy).
    private func correlation(_ part: Picture, _ template: Picture, _ dx: Int, _ dy: Int) -> Double {
        var (n, sumA, sumB, sumAA, sumBB, sumAB) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        for y in stride(from: 8, to: part.height - 8, by: 3) {
            for x in stride(from: 8, to: part.width - 8, by: 3) {
                let a = Double(part.pixels[y * part.width + x])
                let b = Double(template.pixels[(y - dy) * part.width + x - dx])
                n += 1
                sumA += a
                sumB += b
                sumAA += a * a
                sumBB += b * b
                sumAB += a * b
            }
        }
        let spread = ((n * sumAA - sumA * sumA) * (n * sumBB - sumB * sumB)).squareRoot()
        return spread > 0 ? (n * sumAB - sumA * sumB) / spread : 0
    }
}

extension TrueDefect {
    fileprivate func contains(_ x: Int, _ y: Int, margin: Int) -> Bool {
        (self.x - margin..<self.x + width + margin).contains(x)
            && (self.y - margin..<self.y + height + margin).contains(y)
    }
}
