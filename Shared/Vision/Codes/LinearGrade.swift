/// What is measured of a linear code: scan reflectance profiles (ISO/IEC 15416, 5.4).
enum LinearGrade {
    /// Scan lines, as the standard asks for.
    private static let lines = 10

    /// Mean of the lines' values and grades; nil where no line shows bars.
    static func parameters(of code: ReadCode, _ view: CodeView) -> [CodeGrade.Parameter]? {
        let (a, b, c, d) = (code.corners[0], code.corners[1], code.corners[2], code.corners[3])
        var sums: [String: (value: Double, grade: Double, count: Int)] = [:]
        var order: [String] = []
        var read = 0
        for line in 0..<lines {
            let share = (Double(line) + 0.5) / Double(lines)
            let from = (Double(a.x) + Double(d.x - a.x) * share, Double(a.y) + Double(d.y - a.y) * share)
            let to = (Double(b.x) + Double(c.x - b.x) * share, Double(b.y) + Double(c.y - b.y) * share)
            guard let profile = ReflectanceProfile(view, from: from, to: to) else { continue }
            read += 1
            for parameter in profile.parameters(of: code.symbology) {
                if sums[parameter.name] == nil { order.append(parameter.name) }
                let sum = sums[parameter.name] ?? (0, 0, 0)
                sums[parameter.name] = (sum.value + parameter.value, sum.grade + parameter.grade, sum.count + 1)
            }
        }
        guard read > 0 else { return nil }
        return order.compactMap { name in
            sums[name].map {
                CodeGrade.Parameter(name: name, value: $0.value / Double($0.count), grade: $0.grade / Double($0.count))
            }
        }
    }
}

/// Reflectance along one line across a code, 0 to 1.
struct ReflectanceProfile {
    private let values: [Double]
    /// Where reflectance crosses the threshold, samples.
    private let edges: [Double]
    private let low: Double
    private let high: Double

    /// From a little before the code to a little behind it; nil where the line leaves the picture or shows fewer than
    /// ten edges.
    init?(_ view: CodeView, from: (x: Double, y: Double), to: (x: Double, y: Double)) {
        let (dx, dy) = (to.x - from.x, to.y - from.y)
        let length = (dx * dx + dy * dy).squareRoot()
        guard length >= 20, length < 65_536 else { return nil }
        let steps = Int(length * 2)
        var values: [Double] = []
        for step in -steps / 20...steps + steps / 20 {
            let share = Double(step) / Double(steps)
            let (x, y) = (from.x + dx * share, from.y + dy * share)
            guard x >= 0, y >= 0, x <= Double(view.width - 1), y <= Double(view.height - 1) else {
                if step < 0 || step > steps { continue }
                return nil
            }
            values.append(Self.level(view, x, y))
        }
        let (low, high) = (values.min() ?? 0, values.max() ?? 0)
        let threshold = (low + high) / 2
        var edges: [Double] = []
        for index in values.indices.dropFirst() {
            let (before, after) = (values[index - 1] - threshold, values[index] - threshold)
            if (before < 0) != (after < 0) { edges.append(Double(index - 1) + before / (before - after)) }
        }
        guard edges.count >= 10 else { return nil }
        (self.values, self.edges, self.low, self.high) = (values, edges, low, high)
    }

    private static func level(_ view: CodeView, _ x: Double, _ y: Double) -> Double {
        let (left, top) = (Int(x), Int(y))
        let (right, bottom) = (min(left + 1, view.width - 1), min(top + 1, view.height - 1))
        let (u, v) = (x - Double(left), y - Double(top))
        func pixel(_ x: Int, _ y: Int) -> Double { Double(view.pixels[y * view.width + x]) }
        let upper = pixel(left, top) * (1 - u) + pixel(right, top) * u
        let lower = pixel(left, bottom) * (1 - u) + pixel(right, bottom) * u
        return (upper * (1 - v) + lower * v) / 255
    }

    /// Clause 5.4 and table 1.
    func parameters(of symbology: Symbology) -> [CodeGrade.Parameter] {
        // Extreme reflectance of each element: the bar or space between two edges.
        var peaks: [Double] = []
        var noise = 0.0
        for (start, end) in zip(edges, edges.dropFirst()) {
            let part = values[Int(start) + 1...max(Int(start) + 1, Int(end))]
            guard let lowest = part.min(), let highest = part.max(), let middle = part.dropFirst(part.count / 2).first
            else { continue }
            let isBar = middle < (low + high) / 2
            peaks.append(isBar ? lowest : highest)
            noise = max(noise, Self.nonuniformity(Array(part), isBar: isBar))
        }
        let contrast = high - low
        let edge = zip(peaks, peaks.dropFirst()).map { abs($0 - $1) }.min() ?? 0
        var parameters: [CodeGrade.Parameter] = [
            .symbolContrast(contrast),
            CodeGrade.Parameter(
                name: "minimum reflectance",
                value: low / max(high, 1e-9),
                grade: low <= high / 2 ? 4 : 0
            ),
            CodeGrade.Parameter(name: "edge contrast", value: edge, grade: edge >= 0.15 ? 4 : 0),
            .rising("modulation", edge / contrast, [0.7, 0.6, 0.5, 0.4]),
            .falling("defects", noise / contrast, [0.15, 0.2, 0.25, 0.3]),
        ]
        if let decodability = decodability(of: symbology) {
            parameters.append(.rising("decodability", decodability, [0.62, 0.5, 0.37, 0.25]))
        }
        return parameters
    }

    /// Largest difference of a peak to a valley that follows it or comes before it within one element (5.4.6).
    private static func nonuniformity(_ part: [Double], isBar: Bool) -> Double {
        let levels = isBar ? part : part.map { -$0 }
        guard let centre = levels.indices.min(by: { levels[$0] < levels[$1] }) else { return 0 }
        var worst = 0.0
        // From the element's extreme outwards: how far reflectance turns back after having left it.
        for side in [Array(levels[centre...]), levels[...centre].reversed()] {
            var highest = -Double.infinity
            for level in side {
                highest = max(highest, level)
                worst = max(worst, highest - level)
            }
        }
        return worst
    }

    /// How far the widths of bars and spaces stay from where they would be taken for others, by their ideal ones; an
    /// estimate of clause 5.4.7, which goes by each symbology's own reference decoding. nil of DataBar, whose widths
    /// are not decoded one by one.
    private func decodability(of symbology: Symbology) -> Double? {
        let widths = zip(edges, edges.dropFirst()).map { $1 - $0 }
        let sorted = widths.sorted()
        let narrow = sorted[sorted.count / 4]
        guard narrow > 0 else { return 0 }
        switch symbology {
        case .code39, .code32, .itf, .codabar:
            let middle = (narrow + sorted[sorted.count - 1 - sorted.count / 16]) / 2
            guard let thin = sorted.last(where: { $0 < middle }), let thick = sorted.first(where: { $0 >= middle })
            else { return 0 }
            let means = (mean(sorted.filter { $0 < middle }), mean(sorted.filter { $0 >= middle }))
            return max(0, (thick - thin) / (means.1 - means.0))
        case .ean8, .ean13, .upcA, .upcE, .code128, .code93:
            let modules = widths.reduce(0) { $0 + max(1, ($1 / narrow).rounded()) }
            let module = widths.reduce(0, +) / modules
            let worst = widths.map { abs($0 / module - max(1, ($0 / module).rounded())) }.max() ?? 0.5
            return max(0, 1 - 2 * worst)
        default: return nil
        }
    }

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }
}
