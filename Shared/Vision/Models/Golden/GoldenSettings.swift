/// Settings of the comparison with a golden picture.
package struct GoldenSettings: Equatable, Sendable {
    /// How far a part may lie from the template's position, pixels in each direction.
    package let maxShift: Int
    /// Grey levels from which a pixel differs.
    package let threshold: Int
    /// Connected pixels from which a difference reaches the limit (score 1).
    package let minArea: Int
    /// Pixels by which an edge may lie elsewhere without being a difference.
    package let edgeTolerance: Int
    /// Which side of a two-level picture is the conductor.
    package let copper: Copper

    /// Which pixels of a printed circuit board's picture are conductor.
    package enum Copper: String, CaseIterable, Sendable {
        case bright, dark
        /// Not a board: every difference is a `difference`.
        case none
    }

    package init(
        maxShift: Int = 16,
        threshold: Int = 60,
        minArea: Int = 12,
        edgeTolerance: Int = 1,
        copper: Copper = .none
    ) {
        self.maxShift = maxShift
        self.threshold = threshold
        self.minArea = minArea
        self.edgeTolerance = edgeTolerance
        self.copper = copper
    }

    /// As a recipe's section writes them.
    init(_ section: RecipeSection) {
        let standard = GoldenSettings()
        self.init(
            maxShift: section.integer("max_shift", 0...GoldenTemplate.maxShift, default: standard.maxShift),
            threshold: section.integer("threshold", 1...254, default: standard.threshold),
            minArea: section.integer("min_area", 1...1_000_000, default: standard.minArea),
            edgeTolerance: section.integer(
                "edge_tolerance",
                0...GoldenTemplate.maxEdgeTolerance,
                default: standard.edgeTolerance
            ),
            copper: section.choice("copper", of: Copper.self, default: standard.copper)
        )
    }

    /// Categories that differences can have.
    package var categories: [DefectCategory] {
        copper == .none ? [.difference] : [.open, .short, .mousebite, .spur, .copper, .pinHole, .difference]
    }
}
