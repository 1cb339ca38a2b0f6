import Vision

/// Learns segmentation models from a labelled folder's marked defects, and says how far it is.
struct MarkedLearning {
    private let learning: SegmentationLearning
    private let features: PixelBackbone

    /// Reads each picture of which is known where its defects are.
    init(_ labelled: LabelledFolder) throws {
        guard labelled.hasMarks else {
            throw LearnError(
                "\(labelled.folder): no marked defects to learn from; expected polygons.csv, boxes.csv, or masks named "
                    + "in labels.csv"
            )
        }
        features = try PixelBackbone.installed()
        let categories = labelled.categories
        let marked = labelled.items.compactMap { labelled.marked($0, categories: categories) }
        var progress = ProgressLine()
        learning = try SegmentationLearning(marked, categories: categories, features: features) { share in
            progress.show("\(ProgressLine.bar(share)) reading \(marked.count) pictures")
        }
        progress.finish()
    }

    /// Learns from the pictures whose names `isChosen`; `task` is shown with the share done.
    func learn(_ task: String, where isChosen: (String) -> Bool = { _ in true }) throws -> LearnedTool {
        var progress = ProgressLine()
        let model = try learning.model(where: isChosen) { progress.show("\(ProgressLine.bar($0)) \(task)") }
        progress.finish()
        return try LearnedTool(model, features: features)
    }

    /// Learns from all pictures of the folder of which is known where their defects are.
    static func learn(from labelled: LabelledFolder) throws -> LearnedTool {
        try MarkedLearning(labelled).learn("learning from marked defects")
    }
}
