/// EAN-13, UPC-A and EAN-8 read from grey values, without making them black and white first (ISO/IEC 15420).
///
/// Each digit's grey values are compared with what each of the digit patterns would look like, blurred, by normalised
/// correlation, and the sequence with the highest sum that has a valid check digit is taken. So codes are read that are
/// too blurred or too small for their bars to be told apart one by one, and wrong readings of others are found out:
/// how far the second best valid sequence stays behind says how sure the best one is.
struct EanMatcher {
    let layout: EanLayout

    /// The best placement of a code on the line, with the correlations of its digits; nil where none looks like one.
    /// `near` says where it begins and ends, nearly; `slack` is the table's.
    func place(_ line: GreyLine, near: ClosedRange<Float>?, slack: Float) -> EanTable? {
        let rough = candidates(line, near: near).prefix(24)
            .compactMap { EanTable(line, layout: layout, from: $0.from, to: $0.to) }
            .sorted { $0.quality > $1.quality }
        guard let first = rough.first, first.quality > 0.5 else { return nil }
        var best = first
        for start in rough.prefix(2) {
            var table = start
            let module = (table.to - table.from) / Float(layout.modules)
            for step in [0.6, 0.25] as [Float] { table = refine(line, table, step: step * module) }
            if table.quality > best.quality { best = table }
        }
        guard slack > 0 else { return best }
        return EanTable(
            line,
            layout: layout,
            from: best.from,
            to: best.to,
            bend: best.bend,
            blur: best.blur,
            slack: slack
        )
    }

    private func refine(_ line: GreyLine, _ centre: EanTable, step: Float) -> EanTable {
        let steps = [-step, 0, step]
        var best = centre
        func look(_ from: Float, _ to: Float, bend: Float, blur: Int) {
            let table = EanTable(line, layout: layout, from: from, to: to, bend: bend, blur: blur)
            if let table, table.quality > best.quality { best = table }
        }
        let (from, to, bend) = (centre.from, centre.to, centre.bend)
        for left in steps {
            for right in steps { look(from + left, to + right, bend: bend, blur: centre.blur) }
        }
        for change in steps { look(best.from, best.to, bend: bend + change, blur: best.blur) }
        for blur in EanLayout.templates.indices { look(best.from, best.to, bend: best.bend, blur: blur) }
        return best
    }

    /// Pairs of edges between which the guard patterns look right, best first.
    private func candidates(_ line: GreyLine, near: ClosedRange<Float>?) -> [(from: Float, to: Float, score: Float)] {
        let edges = line.edges()
        var found: [(from: Float, to: Float, score: Float)] = []
        for from in edges.falling {
            if let near, abs(from - near.lowerBound) > (near.upperBound - near.lowerBound) / 20 { continue }
            for to in edges.rising where to - from > Float(layout.modules) * 0.9 {
                if let near, abs(to - near.upperBound) > (near.upperBound - near.lowerBound) / 20 { continue }
                let score = guardScore(line, from, to)
                if score > 0.4 { found.append((from, to, score)) }
            }
        }
        return found.sorted { $0.score > $1.score }
    }

    private func guardScore(_ line: GreyLine, _ from: Float, _ to: Float) -> Float {
        let module = (to - from) / Float(layout.modules)
        var (sum, squares, product, count) = (Float(0), Float(0), Float(0), Float(0))
        var (template, templates) = (Float(0), Float(0))
        for place in layout.guards {
            let value = line.value(at: from + (place.position) * module)
            sum += value
            squares += value * value
            product += value * place.level
            template += place.level
            templates += place.level * place.level
            count += 1
        }
        let spread = (squares - sum * sum / count) * (templates - template * template / count)
        guard spread > 1e-6 else { return 0 }
        return (product - sum * template / count) / spread.squareRoot()
    }
}

/// Grey values along a line.
struct GreyLine {
    let values: [Float]

    /// Mean of rows `top..<bottom`, the first row at the least.
    init(_ view: CodeView, rows: Range<Int>) {
        var sums = [Float](repeating: 0, count: view.width)
        view.pixels.withUnsafeBufferPointer { pixels in
            for y in rows {
                for x in 0..<view.width { sums[x] += Float(pixels[y * view.width + x]) }
            }
        }
        let scale = 1 / Float(max(1, rows.count))
        for x in sums.indices { sums[x] *= scale }
        values = sums
    }

    private init(values: [Float]) { self.values = values }

    func reversed() -> GreyLine { GreyLine(values: values.reversed()) }

    /// Between the pixels' centres by a straight line; beyond the ends the end's value. The first pixel's left edge is
    /// place 0.
    func value(at place: Float) -> Float {
        let at = min(max(place - 0.5, 0), Float(values.count - 1))
        let left = Int(at)
        let right = min(left + 1, values.count - 1)
        return values[left] + (values[right] - values[left]) * (at - Float(left))
    }

    /// Places where it gets darker and where it gets lighter fastest, steep enough to be edges of bars.
    func edges() -> (falling: [Float], rising: [Float]) {
        guard values.count > 4 else { return ([], []) }
        var slopes = [Float](repeating: 0, count: values.count + 1)
        for place in 1..<values.count { slopes[place] = values[place] - values[place - 1] }
        let steepest = slopes.reduce(0) { max($0, abs($1)) }
        var falling: [Float] = []
        var rising: [Float] = []
        for place in 1..<values.count where abs(slopes[place]) > max(2, steepest * 0.12) {
            // Towards dark where it gets darker: a thin bar's other edge beside it does not count.
            let sign: Float = slopes[place] < 0 ? -1 : 1
            let (before, here, after) = (sign * slopes[place - 1], sign * slopes[place], sign * slopes[place + 1])
            guard here >= before, here > after else { continue }
            let curve = max(before, 0) - 2 * here + max(after, 0)
            let exact = Float(place) + (curve < 0 ? (max(before, 0) - max(after, 0)) / (2 * curve) : 0)
            if sign < 0 { falling.append(exact) } else { rising.append(exact) }
        }
        return (Array(falling.prefix(160)), Array(rising.suffix(160)))
    }
}
