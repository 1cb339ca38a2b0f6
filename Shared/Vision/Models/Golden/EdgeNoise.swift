/// How rough the edges of one part are, seen from the bites and spurs found on it. A board has few real ones, rough edges
/// have many alike: what comes after the strongest ten is taken for roughness, and bites and spurs count only beyond
/// what such edges bring forth by chance.
struct EdgeNoise {
    /// So many of the strongest bites and spurs may be real.
    private static let real = 10
    /// The strongest of the rough edges' own bites and spurs, in terms of the one after the real ones.
    private static let strongest = 2.5
    /// A bite or spur of this strength is one however rough the edges are, and however many there are.
    private static let certain = 2.0

    /// Strength from which a bite or spur is a defect, at least 1.
    let limit: Double

    init(_ defects: [FoundDefect]) {
        let scores = defects.filter(Self.isOnEdge).map(\.score).sorted(by: >)
        let next = scores.count > Self.real ? scores[Self.real] : 0
        limit = min(max(1, next * Self.strongest), Self.certain)
    }

    /// The defects with their strengths in terms of the limit.
    func weighted(_ defects: [FoundDefect]) -> [FoundDefect] {
        guard limit > 1 else { return defects }
        return defects.map { Self.isOnEdge($0) ? $0.with(score: $0.score / limit) : $0 }
    }

    private static func isOnEdge(_ defect: FoundDefect) -> Bool {
        defect.category == .spur || defect.category == .mousebite
    }
}

extension FoundDefect {
    /// The same with another strength.
    func with(score: Double) -> FoundDefect {
        FoundDefect(category: category, x: x, y: y, width: width, height: height, area: area, score: score)
    }
}
