/// Found boxes against marked ones. A found box is right where it has the category of a marked one that no stronger
/// found box has taken and their intersection over union is more than `overlap`.
package struct BoxScore: Sendable {
    /// Intersection over union that must be exceeded by DeepPCB's protocol.
    package static let overlap = 0.33

    private let overlap: Double

    /// A found box.
    package struct Found: Sendable {
        package let box: LabelledBox
        /// Strength; from 1 it is reported.
        package let score: Double

        package init(box: LabelledBox, score: Double) {
            self.box = box
            self.score = score
        }
    }

    /// What was right and wrong in one category or in all.
    package struct Figures: Equatable, Sendable {
        /// Boxes marked.
        package fileprivate(set) var marked = 0
        /// Boxes found with a score of at least 1.
        package fileprivate(set) var found = 0
        /// Of those, the right ones.
        package fileprivate(set) var right = 0

        /// Share of the found boxes that is right; nil where none was found.
        package var precision: Double? { found > 0 ? Double(right) / Double(found) : nil }
        /// Share of the marked boxes that was found; nil where none was marked.
        package var recall: Double? { marked > 0 ? Double(right) / Double(marked) : nil }
        /// Harmonic mean of precision and recall; nil where nothing was marked or found.
        package var f: Double? { marked + found > 0 ? 2 * Double(right) / Double(marked + found) : nil }
    }

    private var figures: [DefectCategory: Figures] = [:]
    private var ranked: [DefectCategory: [(score: Double, isRight: Bool)]] = [:]

    /// - Parameter overlap: Intersection over union that must be exceeded.
    package init(overlap: Double = BoxScore.overlap) { self.overlap = overlap }

    /// Adds one picture. Returns the found boxes of at least score 1 that are wrong, and the marked ones missed.
    @discardableResult
    package mutating func add(found: [Found], marked: [LabelledBox]) -> (wrong: [LabelledBox], missed: [LabelledBox]) {
        var isTaken = [Bool](repeating: false, count: marked.count)
        var isFound = isTaken
        var wrong: [LabelledBox] = []
        for box in marked { figures[box.category, default: Figures()].marked += 1 }
        for candidate in found.enumerated().sorted(by: { ($1.element.score, $0.offset) < ($0.element.score, $1.offset) }
        )
        .map(\.element) {
            let best = marked.indices.filter { !isTaken[$0] && marked[$0].category == candidate.box.category }
                .map { (index: $0, overlap: marked[$0].intersectionOverUnion(candidate.box)) }
                .max { ($0.overlap, $1.index) < ($1.overlap, $0.index) }
            let match = best.flatMap { $0.overlap > overlap ? $0.index : nil }
            ranked[candidate.box.category, default: []].append((candidate.score, match != nil))
            if let match { isTaken[match] = true }
            guard candidate.score >= 1 else { continue }
            figures[candidate.box.category, default: Figures()].found += 1
            if let match {
                isFound[match] = true
                figures[candidate.box.category, default: Figures()].right += 1
            } else {
                wrong.append(candidate.box)
            }
        }
        return (wrong, marked.indices.filter { !isFound[$0] }.map { marked[$0] })
    }

    /// One category.
    package subscript(_ category: DefectCategory) -> Figures { figures[category] ?? Figures() }

    /// All boxes of all categories together (micro average).
    package var all: Figures {
        figures.values.reduce(into: Figures()) {
            $0.marked += $1.marked
            $0.found += $1.found
            $0.right += $1.right
        }
    }

    /// Area under the precision-recall curve of one category: the mean over the marked boxes of the precision at the
    /// score at which each is found, 0 for those never found; nil where none is marked.
    package func averagePrecision(_ category: DefectCategory) -> Double? {
        let marked = self[category].marked
        guard marked > 0 else { return nil }
        var (right, sum) = (0.0, 0.0)
        let order = (ranked[category] ?? []).enumerated()
            .sorted { ($1.element.score, $0.offset) < ($0.element.score, $1.offset) }
        for (rank, candidate) in order.enumerated() where candidate.element.isRight {
            right += 1
            sum += right / Double(rank + 1)
        }
        return sum / Double(marked)
    }

    /// Average precision as COCO has it: the mean, over 101 recalls from 0 to 1, of the highest precision at that recall
    /// or above; nil where none is marked.
    package func interpolatedPrecision(_ category: DefectCategory) -> Double? {
        let marked = self[category].marked
        guard marked > 0 else { return nil }
        let order = (ranked[category] ?? []).enumerated()
            .sorted { ($1.element.score, $0.offset) < ($0.element.score, $1.offset) }
        // Highest precision with at least so many right ones, by their number.
        var best = [Double](repeating: 0, count: marked + 1)
        var right = 0
        for (rank, candidate) in order.enumerated() {
            right += candidate.element.isRight ? 1 : 0
            best[right] = max(best[right], Double(right) / Double(rank + 1))
        }
        for count in stride(from: marked - 1, through: 0, by: -1) { best[count] = max(best[count], best[count + 1]) }
        // The fewest right ones that make up a recall of `step` hundredths.
        return (0...100).reduce(0) { $0 + best[($1 * marked + 99) / 100] } / 101
    }

    /// Categories marked or found.
    package var categories: [DefectCategory] {
        figures.keys.sorted { NaturalOrder.precedes($0.rawValue, $1.rawValue) }
    }

    /// Mean of the categories' average precisions; nil where nothing is marked.
    package var meanAveragePrecision: Double? {
        let values = figures.keys.sorted { $0.rawValue < $1.rawValue }.compactMap(averagePrecision)
        return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}

/// Golden-picture comparison on labelled pairs: how many marked defects it finds under their right names, and how fast.
package struct PairsEvaluation: Sendable {
    /// Pixels that people leave around a defect when they draw its box: the median of the DeepPCB training split, in
    /// which nearly every box lies exactly so far from the defect's pixels.
    package static let drawnMargin = 10

    /// Wrong boxes kept to be shown.
    package static let maxMistakes = 1000

    /// A box that was found but is not marked, or marked but not found.
    package struct Mistake: Equatable, Sendable {
        /// Name of the pair.
        package let pair: String
        package let isMissed: Bool
        package let box: LabelledBox
    }

    package let pairs: Int
    package let score: BoxScore
    /// Pairs a second on one core: both files read and decoded, the template prepared, the part compared.
    package let imagesPerSecond: Double
    /// Mean time of each step.
    package let steps: [StepTiming]
    package let mistakes: [Mistake]

    /// Why an evaluation ended: the place, what was found and what is expected.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Compares every pair, one after the other. `margin` is what is added around each found defect before its box is
    /// held against the marked ones, as people draw boxes with room. `nowUs` times the steps; `progress` is called with
    /// the number of pairs done.
    package static func run(
        _ folder: PairsFolder,
        settings: GoldenSettings = .drawnBoards,
        margin: Int = drawnMargin,
        nowUs: @escaping () -> Int64,
        progress: (Int) -> Void = { _ in }
    ) throws(Failure) -> PairsEvaluation {
        var score = BoxScore()
        var mistakes: [Mistake] = []
        var timer = StepTotals()
        let start = nowUs()
        var reading: Int64 = 0
        for (index, pair) in folder.pairs.enumerated() {
            let readingFrom = nowUs()
            let marked: [LabelledBox]
            do { marked = try folder.boxes(of: pair) } catch { throw Failure(description: error.description) }
            reading += nowUs() - readingFrom
            let (result, size) = try inspect(pair, in: folder, settings, nowUs, &timer)
            let found = result.defects.map { defect in
                BoxScore.Found(box: drawn(defect, margin: margin, within: size), score: defect.score)
            }
            let (wrong, missed) = score.add(found: found, marked: marked)
            for (boxes, isMissed) in [(wrong, false), (missed, true)] {
                for box in boxes where mistakes.count < maxMistakes {
                    mistakes.append(Mistake(pair: pair.name, isMissed: isMissed, box: box))
                }
            }
            progress(index + 1)
        }
        let seconds = Double(max(1, nowUs() - start - reading)) / 1_000_000
        return PairsEvaluation(
            pairs: folder.pairs.count,
            score: score,
            imagesPerSecond: Double(folder.pairs.count) / seconds,
            steps: timer.means(of: folder.pairs.count),
            mistakes: mistakes
        )
    }

    private static func inspect(
        _ pair: PairsFolder.Pair,
        in folder: PairsFolder,
        _ settings: GoldenSettings,
        _ nowUs: @escaping () -> Int64,
        _ totals: inout StepTotals
    ) throws(Failure) -> (ToolResult, (width: Int, height: Int)) {
        var timer = StepTimer(nowUs: nowUs)
        let template: Picture
        let part: Picture
        do {
            template = try PictureCodec.load(path: "\(folder.folder)/\(pair.template)")
            part = try PictureCodec.load(path: "\(folder.folder)/\(pair.test)")
        } catch {
            throw Failure(description: error.description)
        }
        timer.finish("decode")
        let golden = GoldenTemplate(template, settings: settings)
        timer.finish("prepare template")
        do {
            let result = try golden.compare(part, timer: &timer)
            totals.add(timer.timings)
            return (result, (part.width, part.height))
        } catch {
            throw Failure(description: "\(folder.folder)/\(pair.test): \(error)")
        }
    }

    private static func drawn(_ defect: FoundDefect, margin: Int, within size: (width: Int, height: Int)) -> LabelledBox
    {
        LabelledBox(
            category: defect.category,
            left: Double(max(0, defect.x - margin)),
            top: Double(max(0, defect.y - margin)),
            right: Double(min(size.width, defect.x + defect.width + margin)),
            bottom: Double(min(size.height, defect.y + defect.height + margin))
        )
    }

    /// Time of each step over all pairs, in the order in which the steps came first.
    private struct StepTotals {
        private var names: [String] = []
        private var microseconds: [String: Int] = [:]

        mutating func add(_ timings: [StepTiming]) {
            for timing in timings {
                if microseconds[timing.tool] == nil { names.append(timing.tool) }
                microseconds[timing.tool, default: 0] += timing.microseconds
            }
        }

        func means(of count: Int) -> [StepTiming] {
            names.map { StepTiming(tool: $0, microseconds: (microseconds[$0] ?? 0) / max(1, count)) }
        }
    }
}

extension GoldenSettings {
    /// For boards drawn in two levels, copper dark, as film plotters and the DeepPCB data set have them.
    package static let drawnBoards = GoldenSettings(
        maxShift: 16,
        threshold: 60,
        minArea: 10,
        edgeTolerance: 1,
        copper: .dark
    )
}
