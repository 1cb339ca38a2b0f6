/// How one product's parts are judged at one station: a human-readable YAML file, named for ever by the SHA-256 over
/// its bytes. Files it names lie relative to it.
package struct Recipe: Sendable {
    /// Most bytes a recipe file may have.
    package static let maxBytes = 65_536
    /// Most tools of one recipe.
    package static let maxTools = 64

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
    /// Size of a pixel on the part; nil where nothing is measured in millimetres.
    package let scale: Scale?
    /// How the part is found in the picture, so that regions lie on the part; nil where parts always lie alike.
    package let alignment: AlignmentSettings?
    /// Named places of the part, in pixels of the recipe's pictures.
    package let regions: [String: Box]
    /// In the file's order; at least one.
    package let tools: [ToolUse]
    package let reaction: Reaction
    package let challengePieces: [ChallengePiece]
    /// SHA-256 over the file's bytes, lower-case hexadecimal.
    package let sha256: String

    /// Files and folders that it names, in the file's order.
    package internal(set) var files: [NamedFile] = []

    /// A file that the recipe names, and where it does so.
    package struct NamedFile: Equatable, Sendable {
        /// Line in the recipe, from 1.
        package let line: Int
        /// Key with those above it; example "tools[0].golden_template.template".
        package let key: String
        package let file: RecipeFile
    }

    /// Categories that defects of its tools can have.
    package var categories: [DefectCategory] {
        tools.flatMap(\.settings.categories) + (alignment?.categories ?? [])
    }

    /// One tool at work in the recipe.
    package struct ToolUse: Sendable {
        /// Name in findings and timings.
        package let name: String
        package let settings: any ToolSettings
        /// Where it looks, a name of `regions`; nil for the whole picture.
        package let region: String?
        package let limits: Limits
        /// The worst that it can make of a part.
        package let effect: Effect
        package let severity: Severity

        package init(
            name: String,
            settings: any ToolSettings,
            region: String? = nil,
            limits: Limits,
            effect: Effect = .fail,
            severity: Severity = .major
        ) {
            self.name = name
            self.settings = settings
            self.region = region
            self.limits = limits
            self.effect = effect
            self.severity = severity
        }
    }

    /// The worst that a tool's score can make of a part.
    package enum Effect: String, CaseIterable, Sendable {
        case fail
        /// From the limit on a person looks; the tool alone never fails a part.
        case uncertain
        /// Measured and recorded only.
        case record
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

    /// Calibration of the picture against a length standard.
    package struct Scale: Equatable, Sendable {
        package let millimetresPerPixel: Double
        /// What it was calibrated with; example "glass scale GS-4, 2026-03-01".
        package let calibration: String
    }

    /// What the plant wants done when a part fails (reaction plan, IATF 16949 8.5.1.1).
    package struct Reaction: Equatable, Sendable {
        /// Categories of which a single defect holds the batch.
        package let holdOn: [String]
        /// Failed parts among the last ones that hold the batch; nil switches the rule off.
        package let holdAfter: HoldAfter?
        /// Categories of which a single defect asks the line to stop (not a safety function).
        package let stopOn: [String]
        /// Categories of which a single defect raises an alarm.
        package let alarmOn: [String]
        /// Whether an uncertain part counts as failed for rejecting.
        package let rejectUncertain: Bool

        package init(
            holdOn: [String],
            holdAfter: HoldAfter?,
            stopOn: [String] = [],
            alarmOn: [String] = [],
            rejectUncertain: Bool
        ) {
            self.holdOn = holdOn
            self.holdAfter = holdAfter
            self.stopOn = stopOn
            self.alarmOn = alarmOn
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

    /// A picture of a piece whose defect is known: the recipe must find it (IATF 16949 10.2.4).
    package struct ChallengePiece: Equatable, Sendable {
        package let piece: String
        package let picture: RecipeFile
        /// Category that must be found; nil for a known good piece.
        package let expect: String?
    }

    /// A recipe that is made here rather than read from a file.
    package init(
        id: String,
        revision: String,
        station: String,
        product: String,
        controlPlan: String,
        scale: Scale? = nil,
        alignment: AlignmentSettings? = nil,
        regions: [String: Box] = [:],
        tools: [ToolUse],
        reaction: Reaction,
        challengePieces: [ChallengePiece] = [],
        sha256: String
    ) {
        self.id = id
        self.revision = revision
        self.station = station
        self.product = product
        self.controlPlan = controlPlan
        self.scale = scale
        self.alignment = alignment
        self.regions = regions
        self.tools = tools
        self.reaction = reaction
        self.challengePieces = challengePieces
        self.sha256 = sha256
    }
}

/// How bad a tool's finding is, in the control plan's classes.
package enum Severity: String, CaseIterable, Sendable {
    case critical, major, minor
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
