/// How one product's parts are judged at one station: a human-readable YAML file, named for ever by the SHA-256 over
/// its bytes. Files it names lie relative to it.
package struct Recipe: Equatable, Sendable {
    /// Most bytes a recipe file may have.
    package static let maxBytes = 65_536

    /// Recipe id.
    package let id: String
    /// Revision as written in the recipe.
    package let revision: String
    /// Station (ISA-95 work unit) that it is for.
    package let station: String
    /// Product that it judges (stock-keeping unit).
    package let product: String
    /// Control-plan revision that it implements (IATF 16949 8.5.1.1).
    package let controlPlan: String
    package let tool: ToolChoice
    package let limits: Limits
    package let reaction: Reaction
    /// SHA-256 over the file's bytes, lower-case hexadecimal.
    package let sha256: String

    /// The tool and its settings.
    package enum ToolChoice: Equatable, Sendable {
        /// Difference to one golden picture.
        case goldenTemplate(file: String, GoldenSettings)
        /// Difference to the golden picture of the folder that has the part's source name.
        case goldenPairs(folder: String, GoldenSettings)
        /// A surface model learned from good parts only.
        case surfaceModel(file: String)

        /// Key under `tool`.
        package var name: String {
            switch self {
            case .goldenTemplate: "golden_template"
            case .goldenPairs: "golden_pairs"
            case .surfaceModel: "surface_model"
            }
        }

        /// Categories that its defects can have.
        package var categories: [DefectCategory] {
            switch self {
            case .goldenTemplate: GoldenTemplateTool.categories
            case .goldenPairs: GoldenPairsTool.categories
            case .surfaceModel: SurfaceModelTool.categories
            }
        }
    }

    /// Scores that separate pass, uncertain and fail; in the tool's own unit, in which 1 is its limit.
    package struct Limits: Equatable, Sendable {
        /// Fails from here.
        package let failAt: Double
        /// A person should look from here; equal to `failAt` where there is no grey zone.
        package let uncertainAt: Double

        package init(failAt: Double, uncertainAt: Double) {
            self.failAt = failAt
            self.uncertainAt = uncertainAt
        }
    }

    /// What the plant wants done when a part fails (reaction plan, IATF 16949 8.5.1.1).
    package struct Reaction: Equatable, Sendable {
        /// Categories of which a single defect holds the batch.
        package let holdOn: [String]
        /// Failed parts among the last ones that hold the batch; nil switches the rule off.
        package let holdAfter: HoldAfter?
        /// Whether an uncertain part counts as failed for rejecting.
        package let rejectUncertain: Bool

        package init(holdOn: [String], holdAfter: HoldAfter?, rejectUncertain: Bool) {
            self.holdOn = holdOn
            self.holdAfter = holdAfter
            self.rejectUncertain = rejectUncertain
        }
    }

    /// `failures` failed parts among the last `window` hold the batch.
    package struct HoldAfter: Equatable, Sendable {
        package let failures: Int
        /// Parts.
        package let window: Int

        package init(failures: Int, window: Int) {
            self.failures = failures
            self.window = window
        }
    }

    package init(
        id: String,
        revision: String,
        station: String,
        product: String,
        controlPlan: String,
        tool: ToolChoice,
        limits: Limits,
        reaction: Reaction,
        sha256: String
    ) {
        self.id = id
        self.revision = revision
        self.station = station
        self.product = product
        self.controlPlan = controlPlan
        self.tool = tool
        self.limits = limits
        self.reaction = reaction
        self.sha256 = sha256
    }
}

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
}

/// Everything that is wrong with a recipe file, at once.
package struct RecipeError: Error, Equatable, CustomStringConvertible {
    /// One mistake.
    package struct Mistake: Equatable, Sendable {
        /// Line in the file, from 1.
        package let line: Int
        /// Key with those above it; example "limits.fail_at".
        package let key: String
        package let found: String
        package let expected: String

        package init(line: Int, key: String, found: String, expected: String) {
            self.line = line
            self.key = key
            self.found = found
            self.expected = expected
        }
    }

    package let file: String
    /// In the order of the file's lines.
    package let mistakes: [Mistake]

    package init(file: String, mistakes: [Mistake]) {
        self.file = file
        self.mistakes = mistakes
    }

    package var description: String {
        mistakes.map { "\(file):\($0.line): \($0.key): found \($0.found); expected \($0.expected)" }
            .joined(separator: "\n")
    }
}
