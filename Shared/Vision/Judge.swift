/// Outcome of judging one part.
package enum Outcome: String, Sendable {
    case pass, fail
    /// The score lies in the recipe's grey zone: a person should look.
    case uncertain
}

/// What is known about one judged part.
package struct Finding: Equatable, Sendable {
    package let verdict: Outcome
    /// Strength in units of the recipe's fail limit: 1 is the limit.
    package let score: Double
    /// Distance of the score from the limit: 0 on it, towards 1 far from it on either side; |score - 1| / (score + 1).
    package let confidence: Double
    /// In units of the recipe's fail limit, strongest first; those below the grey zone are left out.
    package let defects: [FoundDefect]
    /// Why the part is to be rejected or looked at, in words; empty for a pass.
    package let rejectionReason: String
    package let timings: [StepTiming]
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

/// Judges parts by one recipe, with its templates or model loaded. The same picture gives the same finding but for the
/// timings, whatever was judged before.
package struct Judge: Sendable {
    package let recipe: Recipe
    /// SHA-256 of every template or model file the recipe names; for a folder of templates one over its list of names
    /// and hashes.
    package let modelSHA256s: [String]
    private let tool: any Tool
    private let nowUs: @Sendable () -> Int64

    /// Loads what the recipe names, relative to `directory`. `nowUs` times the steps.
    package init(
        recipe: Recipe,
        directory: String,
        nowUs: @escaping @Sendable () -> Int64 = Judge.steadyUs
    ) throws(JudgeError) {
        self.recipe = recipe
        self.nowUs = nowUs
        do {
            switch recipe.tool {
            case .goldenTemplate(let file, let settings):
                let loaded = try GoldenTemplateTool(path: "\(directory)/\(file)", settings: settings)
                (tool, modelSHA256s) = (loaded, [loaded.sha256])
            case .goldenPairs(let folder, let settings):
                let loaded = try GoldenPairsTool(folder: "\(directory)/\(folder)", settings: settings)
                (tool, modelSHA256s) = (loaded, [loaded.sha256])
            case .surfaceModel(let file):
                let loaded = try SurfaceModelTool(path: "\(directory)/\(file)")
                (tool, modelSHA256s) = (loaded, [loaded.sha256])
            }
        } catch {
            throw JudgeError(recipe: recipe.id, reason: "\(error)")
        }
    }

    /// Judges with a tool that is in memory already.
    package init(
        recipe: Recipe,
        tool: any Tool,
        modelSHA256s: [String],
        nowUs: @escaping @Sendable () -> Int64 = Judge.steadyUs
    ) {
        self.recipe = recipe
        self.tool = tool
        self.modelSHA256s = modelSHA256s
        self.nowUs = nowUs
    }

    /// A clock that never goes back; microseconds since the process's first use of it.
    package static let steadyUs: @Sendable () -> Int64 = {
        let start = ContinuousClock.now
        return {
            let (seconds, attoseconds) = start.duration(to: .now).components
            return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        }
    }()

    /// Judges one part; `sourceName` is the picture's name at its source.
    package func judge(_ picture: Picture, sourceName: String) throws(ToolError) -> Finding {
        var timer = StepTimer(nowUs: nowUs)
        let measurement = try tool.inspect(picture, sourceName: sourceName, timer: &timer)
        let limits = recipe.limits
        let verdict: Outcome =
            measurement.score >= limits.failAt ? .fail : measurement.score >= limits.uncertainAt ? .uncertain : .pass
        let defects = measurement.defects.filter { $0.score >= limits.uncertainAt }
            .map {
                FoundDefect(
                    category: $0.category,
                    x: $0.x,
                    y: $0.y,
                    width: $0.width,
                    height: $0.height,
                    area: $0.area,
                    score: $0.score / limits.failAt
                )
            }
        let score = measurement.score / limits.failAt
        return Finding(
            verdict: verdict,
            score: score,
            confidence: abs(score - 1) / (score + 1),
            defects: defects,
            rejectionReason: Self.reason(verdict, score, defects),
            timings: timer.timings
        )
    }

    private static func reason(_ verdict: Outcome, _ score: Double, _ defects: [FoundDefect]) -> String {
        guard verdict != .pass else { return "" }
        let hundredths = Int((min(score, 1e9) * 100).rounded())
        let fraction = hundredths % 100
        let scoreText = "score \(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) of limit 1"
        guard let worst = defects.first else { return scoreText }
        let others = defects.count > 1 ? " and \(defects.count - 1) more" : ""
        return "\(worst.category.rawValue) at (\(worst.x), \(worst.y))\(others); \(scoreText)"
    }
}
