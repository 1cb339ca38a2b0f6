/// What was learned from which pictures, and how it judges labelled ones beside the active model (ML-02): what is read
/// before a model is put on record, and kept with it.
package struct TrainingReport: Codable, Equatable, Sendable {
    package struct Source: Codable, Equatable, Sendable {
        /// Part, or file, that the picture shows.
        package let name: String
        package let pixelsSHA256: String

        private enum CodingKeys: String, CodingKey {
            case name
            case pixelsSHA256 = "pixels_sha256"
        }
    }

    package struct Limit: Codable, Equatable, Sendable {
        package let name: String
        package let value: Double
        package let basis: String
    }

    package struct Figures: Codable, Equatable, Sendable {
        /// nil where good or bad pictures are missing.
        package let auroc: Double?
        package let escapes: RecipeTestReport.Share
        package let overkill: RecipeTestReport.Share

        package init(_ figures: ModelComparison.Figures) {
            auroc = figures.auroc
            escapes = .init(figures.confusion.escapes)
            overkill = .init(figures.confusion.overkill)
        }
    }

    package struct Change: Codable, Equatable, Sendable {
        package let image: String
        /// `normal` or `anomaly`.
        package let label: String
        package let active: String
        package let new: String
        package let activeScore: Double
        package let newScore: Double

        private enum CodingKeys: String, CodingKey {
            case image, label, active, new
            case activeScore = "active_score"
            case newScore = "new_score"
        }
    }

    /// Labelled pictures judged by the new model and, where there is one, the active one.
    package struct Judged: Codable, Equatable, Sendable {
        /// SHA-256 over one line `<pixels' sha256>  <label>  <name>\n` for each picture judged, in natural order of names.
        package let setSHA256: String
        package let images: Int
        /// Pictures that were not judged because one of the models was learned from them.
        package let leftOut: Int
        package let new: Figures
        package let active: Figures?
        /// Content hash of the active model; nil where there is none.
        package let activeSHA256: String?
        package let changed: [Change]

        /// - Parameter list: What `setSHA256` is taken over.
        package init(_ comparison: ModelComparison, list: String, leftOut: Int, activeSHA256: String?) {
            setSHA256 = hexSHA256(Array(list.utf8))
            images = comparison.pairs.count
            self.leftOut = leftOut
            new = Figures(comparison.candidate)
            active = comparison.active.map { Figures($0) }
            self.activeSHA256 = activeSHA256
            changed = comparison.changed.compactMap { pair in
                pair.active.map { active in
                    Change(
                        image: pair.name,
                        label: pair.isBad ? "anomaly" : "normal",
                        active: active.verdict.rawValue,
                        new: pair.candidate.verdict.rawValue,
                        activeScore: active.score,
                        newScore: pair.candidate.score
                    )
                }
            }
        }

        private enum CodingKeys: String, CodingKey {
            case images, new, active, changed
            case setSHA256 = "set_sha256"
            case leftOut = "left_out"
            case activeSHA256 = "active_sha256"
        }
    }

    package let tool: String
    /// Why it is not the anomaly tool.
    package let remark: String?
    package let model: String
    package let modelSHA256: String
    package let modelBytes: Int
    package let backboneSHA256: String?
    package let recipe: String?
    package let pictures: Int
    /// Over one line `<pixels' sha256>  <name>\n` for each picture learned from.
    package let setSHA256: String
    package let sources: [Source]
    /// Production contexts of the parts learned from; empty where files were.
    package let strata: [String]
    package let limits: [Limit]
    package let seconds: Double
    package let judged: Judged?

    package init(
        _ learned: LearnedTool,
        model: String,
        recipe: String?,
        strata: [String],
        seconds: Double,
        judged: Judged?
    ) {
        let bytes = learned.encoded()
        tool = learned.kind.rawValue
        remark = learned.remark
        self.model = model
        (modelSHA256, modelBytes) = (hexSHA256(bytes), bytes.count)
        backboneSHA256 = learned.model.backboneSHA256
        self.recipe = recipe
        pictures = learned.sources.count
        setSHA256 = learned.setSHA256
        sources = learned.sources.map { Source(name: $0.name, pixelsSHA256: $0.pixelsSHA256) }
        self.strata = strata
        limits = learned.model.limits.map { Limit(name: $0.name, value: $0.value, basis: $0.basis) }
        self.seconds = seconds
        self.judged = judged
    }

    /// More bad parts pass by the new model than by the active one.
    package var passesMore: Bool {
        guard let judged, let active = judged.active else { return false }
        return judged.new.escapes.events > active.escapes.events
    }

    private enum CodingKeys: String, CodingKey {
        case tool, remark, model, recipe, pictures, sources, strata, limits, seconds, judged
        case modelSHA256 = "model_sha256"
        case modelBytes = "model_bytes"
        case backboneSHA256 = "backbone_sha256"
        case setSHA256 = "set_sha256"
    }
}
