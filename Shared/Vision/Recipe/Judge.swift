/// Outcome of judging one part.
package enum Outcome: String, Sendable {
    case pass, fail
    /// The score lies in the recipe's grey zone: a person should look.
    case uncertain
}

/// What is known about one judged part.
package struct Finding: Equatable, Sendable {
    package let verdict: Outcome
    /// Strength in units of the fail limit of the tool that is furthest over it: 1 is the limit.
    package let score: Double
    /// Distance of the score from the limit: 0 on it, towards 1 far from it on either side; |score - 1| / (score + 1).
    package let confidence: Double
    /// In units of the fail limit and in pixels of the part's picture, strongest first; those below the grey zone are
    /// left out.
    package let defects: [PartDefect]
    /// What was counted, read or measured, in the order of the recipe's tools.
    package let features: [PartFeature]
    /// What each tool scored, in units of its fail limit and in the order of the recipe; empty where the part is not found.
    package let scores: [ToolScore]
    /// Where the part lies; nil where the recipe has no alignment or the part is not found.
    package let placed: PoseWarp?
    /// Why the part is to be rejected or looked at, in words; empty for a pass.
    package let rejectionReason: String
    package let timings: [StepTiming]
}

extension Finding {
    /// A finding of which the record keeps the verdict and the defects.
    package init(
        verdict: Outcome,
        score: Double,
        confidence: Double,
        defects: [FoundDefect],
        rejectionReason: String
    ) {
        self.init(
            verdict: verdict,
            score: score,
            confidence: confidence,
            defects: defects.map { PartDefect(tool: "", severity: .major, found: $0) },
            features: [],
            scores: [],
            placed: nil,
            rejectionReason: rejectionReason,
            timings: []
        )
    }
}

/// One defect of a part, with the tool that found it.
package struct PartDefect: Equatable, Sendable {
    /// Name of the tool in the recipe.
    package let tool: String
    package let severity: Severity
    package let found: FoundDefect
}

/// One feature of a part, with the tool that found it.
package struct PartFeature: Equatable, Sendable {
    /// Name of the tool in the recipe.
    package let tool: String
    package let task: VisionTask
    package let feature: Feature
}

/// What one tool scored on a part.
package struct ToolScore: Equatable, Sendable {
    /// Name of the tool in the recipe.
    package let tool: String
    /// In units of its fail limit.
    package let score: Double
}

/// Why a recipe cannot be used although it is well formed.
package struct JudgeError: Error, Equatable, CustomStringConvertible {
    package let recipe: String
    package let reason: String

    package init(recipe: String, reason: String) {
        self.recipe = recipe
        self.reason = reason
    }

    package var description: String { "recipe \(recipe): \(reason)" }
}

/// Judges parts by one recipe, with its templates and models loaded. The same picture gives the same finding but for
/// the timings, whatever was judged before (M20).
package struct Judge: Sendable {
    package let recipe: Recipe
    /// SHA-256 of every template or model file the recipe names; for a folder of templates one over its list of names
    /// and hashes.
    package let modelSHA256s: [String]
    private let aligner: AlignmentTool?
    private let tools: [LoadedTool]
    private let nowUs: @Sendable () -> Int64

    private struct LoadedTool: Sendable {
        let use: Recipe.ToolUse
        let tool: any Tool
    }

    /// Loads what the recipe names, relative to `directory`. `nowUs` times the steps.
    package init(
        recipe: Recipe,
        directory: String,
        nowUs: @escaping @Sendable () -> Int64 = Judge.steadyUs
    ) throws(JudgeError) {
        self.recipe = recipe
        self.nowUs = nowUs
        let files = RecipeFiles(directory: directory)
        do {
            aligner = try recipe.alignment?.aligner(files)
        } catch {
            throw JudgeError(recipe: recipe.id, reason: "alignment: \(error)")
        }
        var tools: [LoadedTool] = []
        for use in recipe.tools {
            do {
                tools.append(LoadedTool(use: use, tool: try use.settings.load(files)))
            } catch {
                throw JudgeError(recipe: recipe.id, reason: "tool \(use.name): \(error)")
            }
        }
        self.tools = tools
        modelSHA256s = files.sha256s
    }

    /// Judges with one tool that is in memory already; its settings in the recipe's first use are not loaded.
    package init(
        recipe: Recipe,
        tool: any Tool,
        modelSHA256s: [String],
        nowUs: @escaping @Sendable () -> Int64 = Judge.steadyUs
    ) {
        self.recipe = recipe
        self.nowUs = nowUs
        self.modelSHA256s = modelSHA256s
        aligner = nil
        tools = recipe.tools.prefix(1).map { LoadedTool(use: $0, tool: tool) }
    }

    /// A clock that never goes back; microseconds since the process's first use of it.
    package static let steadyUs: @Sendable () -> Int64 = {
        let start = ContinuousClock.now
        return {
            let (seconds, attoseconds) = start.duration(to: .now).components
            return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        }
    }()

    /// Judges one part.
    /// - Parameters:
    ///   - sourceName: The picture's name at its source.
    ///   - expected: Texts that codes and prints are compared with, by kind (`PartView.expected`).
    package func judge(
        _ picture: Picture,
        sourceName: String,
        expected: [String: String] = [:]
    ) throws(ToolError) -> Finding {
        var timer = StepTimer(nowUs: nowUs)
        var sum = Sum()
        if let aligner {
            guard let pose = try aligner.seek(in: picture) else { return Self.misplaced(picture, timer.timings) }
            sum.warp = aligner.warp(for: pose)
            timer.finish("align")
        }
        for loaded in tools {
            let box = loaded.use.region.flatMap { recipe.regions[$0] }
            do throws(ToolError) {
                let view = PartView(
                    picture: try Self.region(box, of: picture, placed: sum.warp),
                    sourceName: sourceName,
                    expected: expected,
                    millimetresPerPixel: recipe.scale?.millimetresPerPixel
                )
                sum.add(try loaded.tool.inspect(view, timer: &timer), of: loaded.use, at: box)
            } catch {
                throw ToolError("tool \(loaded.use.name): \(error.reason)")
            }
        }
        return sum.finding(timings: timer.timings)
    }

    /// What the recipe's first tool that maps defects says of each pixel of the picture; nil where there is none, or
    /// where the recipe inspects regions or places the part, so that the map is not the picture's.
    package func map(_ picture: Picture, sourceName: String) throws(ToolError) -> DefectMap? {
        guard aligner == nil else { return nil }
        for loaded in tools where loaded.use.region == nil {
            guard let tool = loaded.tool as? any MappingTool else { continue }
            let view = PartView(picture: picture, sourceName: sourceName)
            return try tool.map(view, limit: loaded.use.limits.failAt)
        }
        return nil
    }

    /// The region of the part; the picture as it is where the tool has none.
    private static func region(_ box: Box?, of picture: Picture, placed warp: PoseWarp?) throws(ToolError) -> Picture {
        guard let box else { return picture }
        if let warp { return try warp.region(box, of: picture) }
        guard let cropped = picture.cropped(to: box) else {
            throw ToolError("region \(box) is outside the picture of \(picture.width)x\(picture.height) pixels")
        }
        return cropped
    }

    /// A part that is not found where it can be inspected is not let through.
    private static func misplaced(_ picture: Picture, _ timings: [StepTiming]) -> Finding {
        let box = Box(x: 0, y: 0, width: picture.width, height: picture.height)
        let found = FoundDefect(.misplaced, box, area: box.width * box.height, score: nothingFound)
        return Finding(
            verdict: .fail,
            score: nothingFound,
            confidence: (nothingFound - 1) / (nothingFound + 1),
            defects: [PartDefect(tool: AlignmentSettings.key, severity: .major, found: found)],
            features: [],
            scores: [],
            placed: nil,
            rejectionReason: "misplaced: the alignment's template is not found on the part",
            timings: timings
        )
    }

    /// Score of a part that is not found.
    private static let nothingFound = 10.0
}

/// The results of a part's tools, added up.
private struct Sum {
    private var verdict = Outcome.pass
    private var score = 0.0
    private var defects: [PartDefect] = []
    private var features: [PartFeature] = []
    private var scores: [ToolScore] = []
    var warp: PoseWarp?

    mutating func add(_ result: ToolResult, of use: Recipe.ToolUse, at box: Box?) {
        let limits = use.limits
        let task = type(of: use.settings).task
        features += result.features.map { PartFeature(tool: use.name, task: task, feature: $0) }
        scores.append(ToolScore(tool: use.name, score: result.score / limits.failAt))
        guard use.effect != .record else { return }
        score = max(score, result.score / limits.failAt)
        if result.score >= limits.failAt, use.effect == .fail {
            verdict = .fail
        } else if result.score >= limits.uncertainAt, verdict == .pass {
            verdict = .uncertain
        }
        // What did not reach the grey zone as a whole is no finding, however strong one place of it.
        guard result.score >= limits.uncertainAt else { return }
        defects += result.defects.filter { $0.score >= limits.uncertainAt }
            .map { defect in
                let place = self.place(of: defect, in: box)
                let found = FoundDefect(defect.category, place, area: defect.area, score: defect.score / limits.failAt)
                return PartDefect(tool: use.name, severity: use.severity, found: found)
            }
    }

    /// A defect's box in the pixels of the part's picture.
    private func place(of defect: FoundDefect, in region: Box?) -> Box {
        let found = Box(x: defect.x, y: defect.y, width: defect.width, height: defect.height)
        guard let region else { return found }
        let inRecipe = Box(x: found.x + region.x, y: found.y + region.y, width: found.width, height: found.height)
        return warp?.box(inRecipe) ?? inRecipe
    }

    func finding(timings: [StepTiming]) -> Finding {
        let strongest = defects.enumerated()
            .sorted { ($1.element.found.score, $0.offset) < ($0.element.found.score, $1.offset) }
            .prefix(ToolResult.maxDefects).map(\.element)
        return Finding(
            verdict: verdict,
            score: score,
            confidence: abs(score - 1) / (score + 1),
            defects: Array(strongest),
            features: features,
            scores: scores,
            placed: warp,
            rejectionReason: reason(strongest.first, others: strongest.count - 1),
            timings: timings
        )
    }

    private func reason(_ worst: PartDefect?, others: Int) -> String {
        guard verdict != .pass else { return "" }
        let hundredths = Int((min(score, 1e9) * 100).rounded())
        let fraction = hundredths % 100
        let scoreText = "score \(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) of limit 1"
        let misread = features.filter { !$0.feature.conforms }.map { Self.words($0.feature) }.joined(separator: "; ")
        let place = worst.map {
            "\($0.found.category.rawValue) at (\($0.found.x), \($0.found.y))"
                + (others > 0 ? " and \(others) more" : "")
        }
        return [place, misread.isEmpty ? nil : misread, scoreText].compactMap(\.self).joined(separator: "; ")
    }

    /// A feature that does not conform, as the operator reads it.
    private static func words(_ feature: Feature) -> String {
        if !feature.text.isEmpty { return "\(feature.name) \"\(feature.text)\"" }
        let unit = ["MMT": " mm", "E37": " px", "P1": " %"][feature.unit] ?? ""
        func shown(_ value: Double) -> String { "\((value * 1_000).rounded() / 1_000)" }
        let limits =
            switch (feature.lowerLimit, feature.upperLimit) {
            case (let low?, let high?): " (\(shown(low)) to \(shown(high)))"
            case (let low?, nil): " (at least \(shown(low)))"
            case (nil, let high?): " (at most \(shown(high)))"
            case (nil, nil): ""
            }
        return "\(feature.name) \(shown(feature.value))\(unit)\(limits)"
    }
}
