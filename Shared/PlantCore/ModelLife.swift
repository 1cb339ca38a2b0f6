import PlantEvents

/// One trained model on record, and its newest review (ML-02, ML-04).
package struct ModelLife: Codable, Equatable, Sendable {
    /// What was learned; example "anomaly".
    package let tool: String
    /// Of a model trained elsewhere: by whom and from what, and its licence; both empty for one that was learned here.
    package let origin: String
    package let licence: String
    /// Person who put it on record.
    package let author: String
    package let trainedAtUs: Int64
    /// Pictures that it was learned from; 0 where they are not known.
    package let pictures: UInt64
    /// Production contexts that they cover.
    package let strata: [String]
    /// SHA-256 of the list of these pictures (empty where they are not known), of the list of those that it was tested on
    /// (empty without a test), and of the report.
    package let trainingSet: String
    package let testSet: String
    package let report: String
    /// Nil without a test.
    package let figures: Figures?
    /// Content hash of the active model that it was compared with; empty where there was none.
    package let compared: String
    package let comparedFigures: Figures?
    package private(set) var review: ModelReview?

    /// How a model judged labelled pictures.
    package struct Figures: Codable, Equatable, Sendable {
        package let good: UInt32
        package let bad: UInt32
        package let escapes: UInt32
        package let overkills: UInt32
        /// Area under the receiver operating characteristic; nil where good or bad pictures are missing.
        package let auroc: Double?

        init(_ figures: ModelFigures) {
            (good, bad) = (figures.good, figures.bad)
            (escapes, overkills) = (figures.escapes, figures.overkills)
            auroc = figures.hasAuroc ? figures.auroc : nil
        }
    }

    init(_ event: ModelTrained) {
        tool = event.tool
        (origin, licence) = (event.origin, event.licence)
        author = event.act.personID
        trainedAtUs = event.act.actedAtUs
        pictures = event.pictures
        strata = event.strata
        trainingSet = event.trainingSetSha256
        testSet = event.testSetSha256
        report = event.reportSha256
        figures = event.hasFigures ? Figures(event.figures) : nil
        compared = event.activeSha256
        comparedFigures = event.hasActiveFigures ? Figures(event.activeFigures) : nil
    }

    mutating func take(_ review: ModelReview) { self.review = review.newest(self.review) }
}

/// The newest review of a model or recipe (ML-04).
package struct ModelReview: Codable, Equatable, Sendable {
    /// Example "keep", "retrain".
    package let conclusion: String
    /// End of the period reviewed, microseconds since 1970.
    package let toUs: Int64
    package let person: String
    package let report: String

    init(_ event: PerformanceReviewed) {
        conclusion = event.conclusion
        toUs = event.toUs
        person = event.act.personID
        report = event.reportSha256
    }

    /// The one whose period ends later; of equals this one.
    func newest(_ other: ModelReview?) -> ModelReview {
        if let other, other.toUs > toUs { other } else { self }
    }
}
