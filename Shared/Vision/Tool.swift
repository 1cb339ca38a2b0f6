/// Why a part has no measurement: the picture does not fit the recipe's template or model.
package struct ToolError: Error, Equatable, CustomStringConvertible {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }

    package var description: String { reason }
}

/// One place of the part that differs from what it should be. Pixels of the judged picture.
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

/// What can be wrong with a part, in the words that events and recipes use.
package enum DefectCategory: String, CaseIterable, Sendable {
    /// A conductor is interrupted.
    case open
    /// Two conductors are joined.
    case short
    /// A bite out of a conductor's edge.
    case mousebite
    /// A protrusion from a conductor's edge.
    case spur
    /// Copper where none belongs, touching no conductor.
    case copper
    /// A hole inside a conductor.
    case pinHole = "pin-hole"
    /// A difference to the template that is none of the above.
    case difference
    /// The part's outline is wrong: a piece is missing, broken off or added.
    case shape
    /// The part's surface looks wrong.
    case surface
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

/// What a tool measured on one part.
package struct PartMeasurement: Equatable, Sendable {
    /// Most defects reported for one part.
    package static let maxDefects = 64

    /// Strength of the strongest deviation; 1 is the tool's own limit.
    package let score: Double
    /// Strongest first, at most `maxDefects`.
    package let defects: [FoundDefect]

    package init(score: Double, defects: [FoundDefect]) {
        self.score = score
        let ranked = defects.sorted { ($1.score, $0.y, $0.x) < ($0.score, $1.y, $1.x) }
        self.defects = Array(ranked.prefix(Self.maxDefects))
    }
}

/// One way of measuring parts. The same picture gives the same measurement, bit for bit, whatever was measured before.
package protocol Tool: Sendable {
    /// Categories that its defects can have.
    static var categories: [DefectCategory] { get }
    /// Measures one part; `sourceName` is the picture's name at its source.
    func inspect(
        _ picture: Picture,
        sourceName: String,
        timer: inout StepTimer
    ) throws(ToolError) -> PartMeasurement
}
