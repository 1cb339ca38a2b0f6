/// What a tool says of each pixel of the picture that it inspected.
package struct DefectMap: Equatable, Sendable {
    package let width: Int
    package let height: Int
    /// How strongly a pixel looks defective, row by row, 0 or more; only the order counts.
    package let strength: [Float]
    /// Whether the pixel belongs to a defect that reaches the limit.
    package let found: [Bool]
    /// Places of the map with their score in units of the limit, those below it too.
    package let candidates: [FoundDefect]

    package init(width: Int, height: Int, strength: [Float], found: [Bool], candidates: [FoundDefect]) {
        precondition(strength.count == width * height && found.count == strength.count)
        (self.width, self.height, self.strength, self.found) = (width, height, strength, found)
        self.candidates = candidates
    }
}

/// A tool that can say of each pixel how strongly it looks defective.
package protocol MappingTool: Tool {
    /// - Parameter limit: Score from which a defect is found; 1 is the tool's own limit.
    func map(_ part: PartView, limit: Double) throws(ToolError) -> DefectMap
}

extension FoundDefect {
    /// The same place with its score in units of another limit.
    func scaled(to limit: Double) -> FoundDefect {
        FoundDefect(category, Box(x: x, y: y, width: width, height: height), area: area, score: score / limit)
    }
}
