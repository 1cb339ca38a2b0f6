/// A learned model's content, without what is needed to judge by it.
package enum LearnedModel: Equatable, Sendable {
    case anomaly(AnomalyModel)
    case surface(SurfaceModel)
    case segmentation(SegmentationModel)

    /// Whether a file with these bytes is meant to be a model.
    package static func isModel(_ bytes: [UInt8]) -> Bool {
        [AnomalyModel.envelope, SurfaceModel.envelope, SegmentationModel.envelope].contains { $0.names(bytes) }
    }

    /// Reads a model file of any kind; `name` stands in what is said of mistakes.
    package static func decode(_ bytes: [UInt8], name: String) throws(LearnError) -> LearnedModel {
        do {
            if AnomalyModel.envelope.names(bytes) { return .anomaly(try AnomalyModel.decode(bytes, name: name)) }
            if SegmentationModel.envelope.names(bytes) {
                return .segmentation(try SegmentationModel.decode(bytes, name: name))
            }
            return .surface(try SurfaceModel.decode(bytes, name: name))
        } catch {
            throw LearnError("\(error)")
        }
    }
}

extension LearnedModel {
    package var kind: LearnedTool.Kind {
        switch self {
        case .anomaly: .anomaly
        case .surface: .surface
        case .segmentation: .segmentation
        }
    }

    /// The model as a file.
    package func encoded() -> [UInt8] {
        switch self {
        case .anomaly(let model): model.encoded()
        case .surface(let model): model.encoded()
        case .segmentation(let model): model.encoded()
        }
    }

    /// Names and SHA-256 over the pixels of the pictures that it was learned from, in their order.
    package var sources: [(name: String, pixelsSHA256: String)] {
        switch self {
        case .anomaly(let model): model.sources.map { ($0.name, $0.pixelsSHA256) }
        case .surface(let model): model.sources.map { ($0.name, $0.pixelsSHA256) }
        case .segmentation(let model): model.sources.map { ($0.name, $0.pixelsSHA256) }
        }
    }

    /// SHA-256 over one line `<pixels' sha256>  <name>\n` for each picture that it was learned from, in their order.
    package var setSHA256: String {
        hexSHA256(Array(sources.map { "\($0.pixelsSHA256)  \($0.name)\n" }.joined().utf8))
    }

    package var limits: [LearnedTool.Limit] {
        switch self {
        case .anomaly(let model):
            let rank = AnomalyModel.falseRejects * 100
            let basis =
                "furthest of \(model.leftOut.count) good parts, each left out in turn, but for \(rank) %, and "
                + "\(AnomalyModel.margin * 100) % more"
            return [LearnedTool.Limit(name: "distance", value: model.limit, basis: basis)]
        case .surface(let model):
            let basis =
                "\(model.sources.count) good parts, each left out in turn: mean and 3 standard deviations, at most 1.25 "
                + "times the furthest"
            return [
                LearnedTool.Limit(name: "outline", value: model.limits.outline, basis: basis),
                LearnedTool.Limit(name: "coverage", value: model.limits.coverage, basis: basis),
                LearnedTool.Limit(name: "surface", value: model.limits.surface, basis: basis),
            ]
        case .segmentation(let model):
            let basis =
                "chance that one pixel of a defect must reach, by pictures left out in turn; the others belong to it "
                + "from \(SegmentationModel.pixelChance)"
            return [LearnedTool.Limit(name: "chance", value: model.limit, basis: basis)]
        }
    }

    /// What good parts may score: scores of the training pictures, each left out in turn; empty where the file does
    /// not keep them.
    package var goodScores: [Double] {
        switch self {
        case .anomaly(let model): model.goodScores
        case .surface(let model): model.goodScores
        case .segmentation: []
        }
    }

    /// SHA-256 of the backbone; nil where the model needs none.
    package var backboneSHA256: String? {
        switch self {
        case .anomaly(let model): model.backboneSHA256
        case .surface: nil
        case .segmentation(let model): model.backboneSHA256
        }
    }
}
