/// Kind of vision job (RES-12).
package enum VisionTask: String, CaseIterable, Sendable {
    /// Judge against the taught appearance or a limit.
    case inspect
    /// Count objects.
    case count
    /// Read a code or text.
    case read
    /// Find whether something is there.
    case detect
    /// Compare with what is expected.
    case verify
}

/// Settings of one kind of tool as recipes write them. A new tool is a type like this, listed in `ToolKinds.all`.
package protocol ToolSettings: Sendable {
    /// Key in the recipe; example "golden_template".
    static var key: String { get }
    static var task: VisionTask { get }
    /// Categories that its defects can have.
    var categories: [DefectCategory] { get }
    /// Reads its keys. What is wrong is noted in the section's recipe and replaced by something harmless.
    init(_ section: RecipeSection)
    /// Loads what the settings name: templates and models, from the recipe's folder.
    func load(_ files: RecipeFiles) throws -> any Tool
}

/// Every kind of tool that a recipe can use.
package enum ToolKinds {
    package static let all: [any ToolSettings.Type] = [
        GoldenTemplateSettings.self, GoldenPairsSettings.self, SurfaceModelSettings.self, AnomalySettings.self,
        SegmentationSettings.self, NeuralSettings.self, TextSettings.self, AlignmentSettings.self, BlobSettings.self,
        CaliperSettings.self, ColourSettings.self, CodeSettings.self,
    ]
}

/// One tool, loaded. The same picture gives the same result, bit for bit, whatever was inspected before (M20).
package protocol Tool: Sendable {
    /// Inspects one part.
    func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult
}

/// What a tool sees of a part: its region of the picture, in the recipe's coordinates.
package struct PartView: Sendable {
    /// Grey or red, green, blue.
    package let picture: Picture
    /// Name of the picture at its source.
    package let sourceName: String
    /// Expected texts of the part by kind: "serial", "lot", "order", "product" and what else the context knows.
    package let expected: [String: String]
    /// From the recipe's scale; nil where it has none.
    package let millimetresPerPixel: Double?

    package init(
        picture: Picture,
        sourceName: String,
        expected: [String: String] = [:],
        millimetresPerPixel: Double? = nil
    ) {
        self.picture = picture
        self.sourceName = sourceName
        self.expected = expected
        self.millimetresPerPixel = millimetresPerPixel
    }
}

/// Why a part cannot be measured: the picture does not fit the recipe's template or model.
package struct ToolError: Error, Equatable, CustomStringConvertible {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }

    package var description: String { reason }
}

/// What a tool found on one part.
package struct ToolResult: Equatable, Sendable {
    /// Most defects reported for one part.
    package static let maxDefects = 64
    /// Most features reported for one part.
    package static let maxFeatures = 64

    /// Strength of the strongest deviation; 1 is the tool's own limit.
    package let score: Double
    /// Strongest first, at most `maxDefects`; pixels of the part view's picture.
    package let defects: [FoundDefect]
    /// What was counted, read or measured, at most `maxFeatures`.
    package let features: [Feature]

    package init(score: Double, defects: [FoundDefect], features: [Feature] = []) {
        self.score = score
        let ranked = defects.sorted { ($1.score, $0.y, $0.x) < ($0.score, $1.y, $1.x) }
        self.defects = Array(ranked.prefix(Self.maxDefects))
        self.features = Array(features.prefix(Self.maxFeatures))
    }
}

/// One characteristic of a part: counted, read or measured (CHG-09, STD-08).
package struct Feature: Equatable, Sendable {
    /// Characteristic in the control plan's words.
    package let name: String
    /// Value in `unit`; for a count the number found.
    package let value: Double
    /// Unit by UN/ECE Recommendation 20: "MMT" millimetre, "C62" piece, "E37" pixel, "P1" per cent.
    package let unit: String
    /// Text read; empty where nothing is read.
    package let text: String
    /// Specification limits in `unit`; nil where there is none.
    package let lowerLimit: Double?
    package let upperLimit: Double?
    /// Whether it meets the specification.
    package let conforms: Bool

    package init(
        name: String,
        value: Double,
        unit: String,
        text: String = "",
        lowerLimit: Double? = nil,
        upperLimit: Double? = nil,
        conforms: Bool
    ) {
        self.name = name
        self.value = value
        self.unit = unit
        self.text = text
        self.lowerLimit = lowerLimit
        self.upperLimit = upperLimit
        self.conforms = conforms
    }
}

/// One place of the part that is not as it should be. Pixels.
package struct FoundDefect: Equatable, Sendable {
    package let category: DefectCategory
    package let x: Int
    package let y: Int
    package let width: Int
    package let height: Int
    /// Pixels that differ.
    package let area: Int
    /// Strength; 1 is the limit.
    package let score: Double

    package init(category: DefectCategory, x: Int, y: Int, width: Int, height: Int, area: Int, score: Double) {
        self.category = category
        self.x = x
        self.y = y
        self.width = width
        self.height = height
        self.area = area
        self.score = score
    }
}

/// What can be wrong with a part, in the words that events and recipes use. Neural models bring their own.
package struct DefectCategory: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package init(stringLiteral value: String) { rawValue = value }

    /// A conductor is interrupted.
    package static let open: DefectCategory = "open"
    /// Two conductors are joined.
    package static let short: DefectCategory = "short"
    /// A bite out of a conductor's edge.
    package static let mousebite: DefectCategory = "mousebite"
    /// A protrusion from a conductor's edge.
    package static let spur: DefectCategory = "spur"
    /// Copper where none belongs, touching no conductor.
    package static let copper: DefectCategory = "copper"
    /// A hole inside a conductor.
    package static let pinHole: DefectCategory = "pin-hole"
    /// A difference to the template that is none of the above.
    package static let difference: DefectCategory = "difference"
    /// The part's outline is wrong: a piece is missing, broken off or added.
    package static let shape: DefectCategory = "shape"
    /// The part's surface looks wrong.
    package static let surface: DefectCategory = "surface"
    /// The part looks unlike good parts.
    package static let anomaly: DefectCategory = "anomaly"
    /// Something that belongs there is not found.
    package static let missing: DefectCategory = "missing"
    /// More is found than belongs there.
    package static let surplus: DefectCategory = "surplus"
    /// A measure is outside its limits.
    package static let dimension: DefectCategory = "dimension"
    /// A colour is not the taught one.
    package static let colour: DefectCategory = "colour"
    /// A code is unreadable, wrong or badly printed.
    package static let code: DefectCategory = "code"
    /// A text is unreadable or wrong.
    package static let text: DefectCategory = "text"
    /// The part does not lie where it can be inspected.
    package static let misplaced: DefectCategory = "misplaced"
}

/// Time that one step of an inspection took.
package struct StepTiming: Equatable, Sendable {
    /// Step; example "align".
    package let tool: String
    package let microseconds: Int

    package init(tool: String, microseconds: Int) {
        self.tool = tool
        self.microseconds = microseconds
    }
}

/// Measures the steps of one inspection by a clock that is handed in, so that tools have no clock of their own.
package struct StepTimer {
    private let nowUs: () -> Int64
    private var lastUs: Int64
    package private(set) var timings: [StepTiming] = []

    package init(nowUs: @escaping () -> Int64) {
        self.nowUs = nowUs
        lastUs = nowUs()
    }

    /// Ends the step that began with the previous one's end.
    package mutating func finish(_ step: String) {
        let now = nowUs()
        timings.append(StepTiming(tool: step, microseconds: Int(max(0, now - lastUs))))
        lastUs = now
    }
}
