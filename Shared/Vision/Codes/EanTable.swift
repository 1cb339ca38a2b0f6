/// The parts of an EAN code in modules.
struct EanLayout: Sendable {
    static let samplesPerModule = 4
    /// A digit's seven modules and half a module at each side.
    static let samples = 8 * samplesPerModule

    let symbology: Symbology
    /// Modules from the first bar to the last.
    let modules: Int
    /// Digits that have bars: without EAN-13's first.
    let digits: Int
    /// First module of each digit.
    let starts: [Int]
    /// Centres of half modules of the guard patterns and what is there: 1 for light.
    let guards: [(position: Float, level: Float)]

    static let ean13 = EanLayout(symbology: .ean13, half: 6)
    static let ean8 = EanLayout(symbology: .ean8, half: 4)

    private init(symbology: Symbology, half: Int) {
        self.symbology = symbology
        digits = 2 * half
        modules = 11 + 14 * half
        starts = (0..<half).map { 3 + 7 * $0 } + (0..<half).map { 8 + 7 * half + 7 * $0 }
        let patterns = [(-1, "0101"), (3 + 7 * half, "01010"), (8 + 14 * half, "1010")]
        guards = patterns.flatMap { start, pattern in
            pattern.enumerated().flatMap { index, bar in
                [0.25, 0.75].map { (Float(start + index) + $0, bar == "1" ? Float(0) : Float(1)) }
            }
        }
    }

    /// Bars of the digits of set A, widths of space, bar, space, bar (ISO/IEC 15420, table 1).
    private static let widths: [[Int]] = [
        [3, 2, 1, 1], [2, 2, 2, 1], [2, 1, 2, 2], [1, 4, 1, 1], [1, 1, 3, 2], [1, 2, 3, 1], [1, 1, 1, 4], [1, 3, 1, 2],
        [1, 2, 1, 3], [3, 1, 1, 2],
    ]
    /// Sets of EAN-13's left digits by its first digit (table 4), 1 for set B.
    static let parities = [
        0b000000, 0b001011, 0b001101, 0b001110, 0b010011, 0b011001, 0b011100, 0b010101, 0b010110, 0b011010,
    ]

    /// Digit patterns: sets A, B and C, ten each.
    static let patterns = 30
    /// For each blur the templates of the patterns, `samples` values each: mean 0, sum of squares 1.
    static let templates: [[Float]] = ([0.45, 0.8, 1.1] as [Float]).map { blur in
        let setA = widths.map { template($0, isLight: true, blur: blur) }
        let setB = widths.map { template($0.reversed(), isLight: true, blur: blur) }
        let setC = widths.map { template($0, isLight: false, blur: blur) }
        return (setA + setB + setC).flatMap { $0 }
    }

    /// What four widths look like through a blur whose standard deviation is given in modules. To the left of every
    /// digit is the opposite of its first module, to the right the opposite of its last one, a module wide at least.
    private static func template(_ widths: [Int], isLight: Bool, blur: Float) -> [Float] {
        var fine: [Float] = []
        let perModule = 16
        for (index, width) in ([2] + widths + [2]).enumerated() {
            let light = (index % 2 == 1) == isLight
            fine += [Float](repeating: light ? 1 : 0, count: width * perModule)
        }
        let sigma = blur * Float(perModule)
        let reach = Int(3 * sigma)
        let weights = (-reach...reach).map { gaussian(Float($0) / sigma) }
        let total = weights.reduce(0, +)
        var out: [Float] = []
        for sample in 0..<samples {
            let module = 1.5 + (Float(sample) + 0.5) / Float(samplesPerModule)
            let centre = Int(module * Float(perModule))
            var sum: Float = 0
            for (index, weight) in weights.enumerated() {
                sum += weight * fine[min(max(centre + index - reach, 0), fine.count - 1)]
            }
            out.append(sum / total)
        }
        let mean = out.reduce(0, +) / Float(out.count)
        let norm = out.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }.squareRoot()
        return out.map { ($0 - mean) / norm }
    }

    /// exp(-x²/2) by squaring, so that its bits are the same everywhere.
    private static func gaussian(_ x: Float) -> Float {
        var value = 1 - x * x / 2 / 1024
        for _ in 0..<10 { value *= value }
        return max(value, 0)
    }
}

/// Correlations of a placement's digits with the digit patterns.
struct EanTable {
    /// The most likely reading.
    struct Match {
        /// Digits with the check digit.
        let digits: [UInt8]
        /// Mean correlation of the digits taken, -1 to 1.
        let correlation: Float
        /// Sum of correlations by which the second best valid sequence stays behind.
        let margin: Float
        /// Where the code begins and ends on the line, pixels.
        let from: Float
        let to: Float
    }

    let layout: EanLayout
    let from: Float
    let to: Float
    /// How far the middle lies to the right of the middle, pixels: the picture of a bent or slanted code.
    let bend: Float
    /// Index of the blur of the templates.
    let blur: Int
    /// For each place the correlation with each pattern.
    private var scores: [Float]
    /// Mean of the best correlation of each digit, lower where digits differ in contrast as no print does.
    private(set) var quality: Float = -1

    /// nil where the code does not lie on the line or a digit has no contrast. Each digit may lie up to `slack` modules
    /// beside its place, as on a bent surface.
    init?(
        _ line: GreyLine,
        layout: EanLayout,
        from: Float,
        to: Float,
        bend: Float = 0,
        blur: Int = 1,
        slack: Float = 0
    ) {
        guard from >= -1, to <= Float(line.values.count) + 1, to - from > 40 else { return nil }
        (self.layout, self.from, self.to, self.bend, self.blur) = (layout, from, to, bend, blur)
        scores = [Float](repeating: -1, count: layout.digits * EanLayout.patterns)
        var energies: ClosedRange<Float>?
        var total: Float = 0
        for place in 0..<layout.digits {
            var best: Float = -1
            for shift in slack > 0 ? [0, -slack, slack] : [0] {
                guard let (score, energy) = correlate(line, place: place, shift: shift) else { return nil }
                best = max(best, score)
                energies = min(energies?.lowerBound ?? energy, energy)...max(energies?.upperBound ?? energy, energy)
            }
            total += best
        }
        let mean = total / Float(layout.digits)
        let isEven = energies.map { $0.lowerBound >= 0.04 * $0.upperBound } ?? false
        quality = isEven ? mean : mean - 0.5
    }

    /// Compares one digit's grey values with the patterns that it can have; the highest correlation and the values'
    /// sum of squares, nil where they are all alike.
    private mutating func correlate(_ line: GreyLine, place: Int, shift: Float) -> (best: Float, energy: Float)? {
        let width = (to - from) / Float(layout.modules)
        let patterns = place >= layout.digits / 2 ? 20..<30 : layout.symbology == .ean8 ? 0..<10 : 0..<20
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: EanLayout.samples) { window in
            var sum: Float = 0
            for sample in 0..<EanLayout.samples {
                let module =
                    Float(layout.starts[place]) + shift - 0.5
                    + (Float(sample) + 0.5) / Float(EanLayout.samplesPerModule)
                let share = module / Float(layout.modules)
                let value = line.value(at: from + module * width + 4 * bend * share * (1 - share))
                window[sample] = value
                sum += value
            }
            let mean = sum / Float(EanLayout.samples)
            var energy: Float = 0
            for sample in 0..<EanLayout.samples {
                window[sample] -= mean
                energy += window[sample] * window[sample]
            }
            guard energy > 1 else { return nil }
            let scale = 1 / energy.squareRoot()
            return (correlate(window, patterns, at: place * EanLayout.patterns, scale: scale), energy)
        }
    }

    /// Fills in the correlations of one place; the highest of them.
    private mutating func correlate(
        _ window: UnsafeMutableBufferPointer<Float>,
        _ patterns: Range<Int>,
        at first: Int,
        scale: Float
    ) -> Float {
        var best: Float = -1
        EanLayout.templates[blur].withUnsafeBufferPointer { templates in
            for pattern in patterns {
                var sum = SIMD8<Float>.zero
                for part in 0..<EanLayout.samples / 8 {
                    let (at, of) = (8 * part, pattern * EanLayout.samples + 8 * part)
                    var (values, template) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
                    for lane in 0..<8 {
                        values[lane] = window[at + lane]
                        template[lane] = templates[of + lane]
                    }
                    sum += values * template
                }
                let score = sum.sum() * scale
                scores[first + pattern] = max(scores[first + pattern], score)
                best = max(best, score)
            }
        }
        return best
    }

    /// Adds what another line says of the same code.
    mutating func merge(_ other: EanTable) {
        for index in scores.indices { scores[index] += other.scores[index] }
    }

    /// The valid sequence of digits with the highest sum, `lines` lines merged.
    func match(lines: Int) -> Match? {
        let firsts = layout.symbology == .ean13 ? Array(0..<10) : [-1]
        var best = (sum: -Float.infinity, digits: [UInt8]())
        var second = -Float.infinity
        for first in firsts {
            for candidate in sequences(first: first) {
                if candidate.sum > best.sum {
                    second = best.sum
                    best = candidate
                } else {
                    second = max(second, candidate.sum)
                }
            }
        }
        guard best.sum > -.infinity else { return nil }
        let scale = 1 / Float(lines)
        return Match(
            digits: best.digits,
            correlation: best.sum * scale / Float(layout.digits),
            margin: (best.sum - second) * scale,
            from: from,
            to: to
        )
    }

    /// The two best sequences with a valid check digit that begin with the digit; of EAN-8 `first` is -1.
    private func sequences(first: Int) -> [(sum: Float, digits: [UInt8])] {
        typealias Path = (sum: Float, digits: [UInt8])
        // The check digit makes the sum, digits weighted 1 and 3 from the right, a multiple of ten.
        var states = [[Path]](repeating: [], count: 10)
        states[first < 0 ? 0 : first * (layout.digits % 2 == 0 ? 1 : 3) % 10] = [(0, first < 0 ? [] : [UInt8(first)])]
        for place in 0..<layout.digits {
            let weight = (layout.digits - 1 - place) % 2 == 0 ? 1 : 3
            var next = [[Path]](repeating: [], count: 10)
            for (state, paths) in states.enumerated() where !paths.isEmpty {
                for digit in 0..<10 {
                    let score = scores[place * EanLayout.patterns + pattern(place, digit, first)]
                    let to = (state + digit * weight) % 10
                    for path in paths {
                        let sum = path.sum + score
                        if next[to].count == 2, next[to][1].sum >= sum { continue }
                        next[to].append((sum, path.digits + [UInt8(digit)]))
                        next[to].sort { $0.sum > $1.sum }
                        if next[to].count > 2 { next[to].removeLast() }
                    }
                }
            }
            states = next
        }
        return states[0]
    }

    private func pattern(_ place: Int, _ digit: Int, _ first: Int) -> Int {
        guard place < layout.digits / 2 else { return 20 + digit }
        guard first >= 0 else { return digit }
        return EanLayout.parities[first] >> (layout.digits / 2 - 1 - place) & 1 == 1 ? 10 + digit : digit
    }

    /// Whether both are placements of one code.
    func isSamePlace(as other: EanTable) -> Bool {
        let width = to - from
        return abs(from - other.from) < width / 8 && abs(to - other.to) < width / 8
            && abs(width - (other.to - other.from)) < width / 25
    }
}
