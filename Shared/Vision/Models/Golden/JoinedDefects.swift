/// Pieces of one spur or one bite: frayed ones fall apart where the tolerance takes away what is between.
enum JoinedDefects {
    /// Pixels between the boxes of two pieces, at most.
    private static let gap = 8
    /// Pixels of the other direction that the boxes share, at least.
    private static let shared = 4

    /// The defects, pieces of one as one with the strength of the strongest.
    static func joined(_ defects: [FoundDefect]) -> [FoundDefect] {
        var joined: [FoundDefect] = []
        for defect in defects {
            var whole = defect
            // What has grown may reach others.
            while let piece = joined.firstIndex(where: { belong($0, whole) }) {
                whole = union(joined.remove(at: piece), whole)
            }
            joined.append(whole)
        }
        return joined
    }

    private static func belong(_ one: FoundDefect, _ other: FoundDefect) -> Bool {
        guard one.category == other.category, [.spur, .mousebite].contains(one.category), one.score >= 1,
            other.score >= 1
        else { return false }
        let across = max(one.x, other.x) - min(one.x + one.width, other.x + other.width)
        let down = max(one.y, other.y) - min(one.y + one.height, other.y + other.height)
        return max(across, down) <= gap && min(across, down) <= -shared
    }

    private static func union(_ one: FoundDefect, _ other: FoundDefect) -> FoundDefect {
        let (x, y) = (min(one.x, other.x), min(one.y, other.y))
        return FoundDefect(
            category: one.category,
            x: x,
            y: y,
            width: max(one.x + one.width, other.x + other.width) - x,
            height: max(one.y + one.height, other.y + other.height) - y,
            area: one.area + other.area,
            score: max(one.score, other.score)
        )
    }
}
