import Glibc

/// Learns segmentation models from pictures with marked defects, or from some of them.
package struct SegmentationLearning: Sendable {
    /// Most parts that pictures are left out in.
    private static let folds = 3
    /// Chance taken as the limit where nothing can be left out, or nothing is found on what was left out.
    static let usualLimit = 0.95

    private let pictures: [MarkedPicture]
    private let samples: [PixelSamples]
    private let categories: [DefectCategory]
    private let features: any PixelFeatureSource

    /// Reads the pictures, and keeps what is to be learned from.
    /// - Parameters:
    ///   - categories: Those of the masks' numbers, from 1.
    ///   - progress: Told the share done, 0 to 1.
    package init(
        _ pictures: [MarkedPicture],
        categories: [DefectCategory],
        features: any PixelFeatureSource,
        progress: (Double) -> Void = { _ in }
    ) throws(LearnError) {
        guard pictures.count <= SegmentationModel.maxPictures else {
            throw LearnError("\(pictures.count) pictures; expected at most \(SegmentationModel.maxPictures)")
        }
        guard (1...SegmentationModel.maxCategories).contains(categories.count) else {
            throw LearnError(
                "\(categories.count) categories of defects; expected 1 to \(SegmentationModel.maxCategories)"
            )
        }
        var samples: [PixelSamples] = []
        for (index, marked) in pictures.enumerated() {
            progress(Double(index) / Double(pictures.count))
            let (picture, mask) = try Self.load(marked)
            let size = SegmentationModel.inputSize(picture, step: features.step)
            do {
                samples.append(
                    PixelSamples(
                        try features.pyramid(of: picture, width: size.width, height: size.height),
                        mask: mask,
                        categories: categories.count,
                        source: .init(name: marked.name, pixelsSHA256: picture.sha256),
                        pictures: pictures.count,
                        seed: UInt64(index)
                    )
                )
            } catch {
                throw LearnError("\(marked.name): \(error)")
            }
        }
        (self.pictures, self.samples) = (pictures, samples)
        (self.categories, self.features) = (categories, features)
    }

    private static func load(_ marked: MarkedPicture) throws(LearnError) -> (Picture, DefectMask) {
        do {
            let (picture, mask) = try marked.load()
            guard mask.width == picture.width, mask.height == picture.height else {
                throw LearnError("mask of \(mask.width)x\(mask.height), \(picture); expected one size")
            }
            return (picture, mask)
        } catch {
            throw LearnError("\(marked.name): \(error)")
        }
    }

    /// Learns from those pictures whose names `isChosen`. The same pictures in the same order give the same model, bit
    /// for bit.
    /// - Parameter progress: Told the share done, 0 to 1.
    package func model(
        where isChosen: (String) -> Bool = { _ in true },
        progress: (Double) -> Void = { _ in }
    ) throws(LearnError) -> SegmentationModel {
        let chosen = pictures.indices.filter { isChosen(pictures[$0].name) }
        let marked = chosen.count { samples[$0].shares.contains { $0 > 0 } }
        guard marked >= SegmentationModel.minMarked else {
            throw LearnError(
                "\(chosen.count) pictures, \(marked) of them with marked defects; expected at least "
                    + "\(SegmentationModel.minMarked) with marked defects"
            )
        }
        let folds = Folds(chosen.map { pictures[$0].group }, atMost: Self.folds)
        let part = 1 / Double(folds.count + 1)
        var trial = LimitTrial()
        if folds.count > 1 {
            for fold in 0..<folds.count {
                let done = Double(fold) * part
                let others = zip(chosen, folds.fold).filter { $1 != fold }.map(\.0)
                guard others.contains(where: { samples[$0].shares.contains { $0 > 0 } }) else { continue }
                let model = trained(others, limit: Self.usualLimit) { progress(done + 0.5 * part * $0) }
                let left = zip(chosen, folds.fold).filter { $1 == fold }.map(\.0)
                for (index, picture) in left.enumerated() {
                    progress(done + part * (0.5 + 0.5 * Double(index) / Double(left.count)))
                    try add(pictures[picture], by: model, to: &trial)
                }
            }
        }
        return trained(chosen, limit: trial.limit) { progress(1 - part + part * $0) }
    }

    private func trained(_ chosen: [Int], limit: Double, _ progress: (Double) -> Void) -> SegmentationModel {
        var training = PixelTraining(chosen.map { samples[$0] }, categories: categories.count)
        return SegmentationModel(
            backboneSHA256: features.sha256,
            sources: chosen.map { samples[$0].source },
            categories: categories,
            classifier: training.run(progress: progress),
            limit: limit
        )
    }

    /// What the model finds on a picture that it has not learned from.
    private func add(
        _ marked: MarkedPicture,
        by model: SegmentationModel,
        to trial: inout LimitTrial
    ) throws(LearnError) {
        let (picture, mask) = try Self.load(marked)
        do {
            var timer = StepTimer(nowUs: { 0 })
            let chances = try model.chances(of: picture, features: features, timer: &timer)
            let regions = model.regions(chances, in: picture).map { region in
                (region.blob, UInt8((categories.firstIndex(of: region.defect.category) ?? 0) + 1), region.defect.score)
            }
            trial.add(regions.map { (runs: $0.0.runs, number: $0.1, score: $0.2) }, truth: mask)
        } catch {
            throw LearnError("\(marked.name): \(error)")
        }
    }
}

/// Finds the limit at which the harmonic mean of precision and recall is highest: precision the share of the found
/// regions that touch a marked one of their category, recall the share of the marked ones that are touched.
struct LimitTrial {
    /// Scores, in units of the usual limit's, of the regions that touch a marked one and of those that do not.
    private var right: [Double] = []
    private var wrong: [Double] = []
    /// Best score of a region that touches it, of each marked one.
    private var marked: [Double] = []

    mutating func add(_ regions: [(runs: [Run], number: UInt8, score: Double)], truth mask: DefectMask) {
        var runs: [Run] = []
        mask.values.withUnsafeBufferPointer { values in
            for y in 0..<mask.height {
                let row = UnsafeBufferPointer(rebasing: values[y * mask.width..<(y + 1) * mask.width])
                Blobs.appendRuns(of: row, y: y, to: &runs)
            }
        }
        let blobs = Blobs.joined(runs)
        // The marked region of each pixel, from 1.
        var labels = [Int32](repeating: 0, count: mask.values.count)
        for (index, blob) in blobs.enumerated() {
            for run in blob.runs {
                for x in run.start..<run.end { labels[run.y * mask.width + x] = Int32(index + 1) }
            }
        }
        var best = [Double](repeating: 0, count: blobs.count)
        for region in regions {
            var touched: Set<Int32> = []
            for run in region.runs {
                for x in run.start..<run.end {
                    let label = labels[run.y * mask.width + x]
                    if label > 0, blobs[Int(label) - 1].kind == region.number { touched.insert(label) }
                }
            }
            if touched.isEmpty { wrong.append(region.score) } else { right.append(region.score) }
            for label in touched { best[Int(label) - 1] = max(best[Int(label) - 1], region.score) }
        }
        marked += best
    }

    /// As a chance. Half way from the lowest score above it to the highest below; the lowest of equally good ones.
    var limit: Double {
        let scores = Set(right + wrong).sorted()
        var (best, score) = (0.0, 1.0)
        for (index, lowest) in scores.enumerated() {
            let (found, good) = (right.count { $0 >= lowest }, wrong.count { $0 >= lowest })
            let precision = Double(found) / Double(found + good)
            let recall = Double(marked.count { $0 >= lowest }) / Double(max(1, marked.count))
            guard precision + recall > 0 else { continue }
            let mean = 2 * precision * recall / (precision + recall)
            guard mean > best else { continue }
            (best, score) = (mean, index > 0 ? (scores[index - 1] + lowest) / 2 : lowest)
        }
        return min(-expm1(score * log1p(-SegmentationLearning.usualLimit)), SegmentationModel.certainty)
    }
}
