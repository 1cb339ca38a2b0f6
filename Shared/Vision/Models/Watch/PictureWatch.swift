/// Looks at a station's pictures for what makes inspection blind: frozen, dark, overexposed, blurred, shifted, noisy or damaged
/// ones (M23).
///
/// The first pictures teach it what is usual here; a fault is named once `bad` of the newest `window` pictures show it, and is
/// over after `good` in a row that do not. Nothing is allocated for a picture once one of its size has come.
package struct PictureWatch: Sendable {
    package enum Fault: Int, CaseIterable, Sendable {
        /// The same picture comes again, bit for bit.
        case frozen
        /// Too little light: darker than usual, or black from the beginning.
        case dark
        /// Too much light: more saturated pixels than usual.
        case overexposed
        /// Edges are less steep than usual.
        case blurred
        /// What does not move elsewhere lies somewhere else.
        case shifted
        /// Noise, or rows that do not fit their neighbours or are empty.
        case noisy
    }

    /// When pictures count as bad; nil switches a fault off.
    package struct Settings: Equatable, Sendable {
        /// Pictures that teach what is usual.
        package var learn = 30
        /// Bad pictures among the newest `window` that make a fault.
        package var bad = 3
        package var window = 5
        /// Good pictures in a row that end it.
        package var good = 5
        /// Share of measured places that are exactly as in the picture before.
        package var frozen: Double? = 1
        /// Mean grey level in parts of the usual one.
        package var dark: Double? = 0.5
        /// Share of saturated pixels above the usual one.
        package var overexposed: Double? = 0.15
        /// Steepness of edges in parts of the usual one.
        package var blurred: Double? = 0.7
        /// Shift in parts of the picture's width or height.
        package var shifted: Double? = 0.04
        /// Noise above the usual one, grey levels.
        package var noisy: Double? = 4

        package init() {}
    }

    /// A fault that began or ended with picture `number`.
    package struct Finding: Equatable, Sendable {
        package let fault: Fault
        package let hasBegun: Bool
        /// First picture that is affected, or that is good again.
        package let number: UInt64
        /// The measure that crossed its limit; both in the unit of the fault's setting. 0 where a fault ended.
        package let measure: Double
        package let limit: Double
    }

    /// Grey level that almost no pixel of a black picture exceeds.
    static let black = 24.0
    /// Share of saturated pixels from which a picture shows nothing, whatever is usual.
    static let blind = 0.98

    package let settings: Settings
    private var measures = PictureMeasures()
    private var usual: UsualPicture
    private var courses: [Course]

    /// - Parameter active: faults that were named and are not known to be over.
    package init(_ settings: Settings = Settings(), active: Set<Fault> = []) {
        self.settings = settings
        usual = UsualPicture(pictures: settings.learn)
        courses = Fault.allCases.map { Course(isActive: active.contains($0)) }
    }

    /// Faults that are named and not over.
    package var active: Set<Fault> { Set(Fault.allCases.filter { courses[$0.rawValue].isActive }) }

    /// Whether it knows what is usual; before, only black, blind and frozen pictures are told.
    package var isTaught: Bool { usual.isKnown }

    /// Numbers begin again: what was seen of the last pictures is forgotten, what is usual is not.
    package mutating func startSession() {
        for index in courses.indices { courses[index].forget() }
    }

    /// Takes the station's next picture; `number` rises from picture to picture within a session. Pictures too small to be
    /// measured (under 32 pixels) are not judged.
    package mutating func take(_ picture: Picture, number: UInt64) -> [Finding] {
        guard min(picture.width, picture.height) >= PictureMeasures.smallest else { return [] }
        if !measures.take(picture) { usual = UsualPicture(pictures: settings.learn) }
        var findings: [Finding] = []
        var isFit = true
        for fault in Fault.allCases {
            // What is black or saturated has neither edges nor noise to judge.
            guard isFit || fault == .frozen || fault == .dark, let found = judge(fault) else { continue }
            if found.isBad, fault != .frozen { isFit = false }
            if let finding = note(fault, found, number) { findings.append(finding) }
        }
        if isFit, !usual.isKnown { usual.learn(measures) }
        return findings
    }

    /// One measure against its limit.
    struct Judgement {
        var measure: Double
        var limit: Double
        var isBad: Bool

        static func below(_ measure: Double, _ limit: Double) -> Judgement {
            Judgement(measure: measure, limit: limit, isBad: measure < limit)
        }

        static func above(_ measure: Double, _ limit: Double) -> Judgement {
            Judgement(measure: measure, limit: limit, isBad: measure > limit)
        }
    }

    /// Nil where the fault is switched off or nothing can be said of it in this picture.
    private mutating func judge(_ fault: Fault) -> Judgement? {
        switch fault {
        case .frozen:
            guard let limit = settings.frozen, !measures.isFlat else { return nil }
            return Judgement(measure: measures.same, limit: limit, isBad: measures.same >= limit)
        case .dark:
            guard let setting = settings.dark else { return nil }
            if measures.highlight < Self.black { return .below(measures.highlight, Self.black) }
            guard usual.isKnown else { return .below(measures.highlight, Self.black) }
            return usual.mean.below(measures.mean, setting, slack: 0.8)
        case .overexposed:
            guard let setting = settings.overexposed else { return nil }
            let limit = usual.isKnown ? usual.saturated.median + setting : Self.blind
            return .above(measures.saturated, min(Self.blind, max(limit, usual.saturated.highest + setting / 3)))
        case .blurred:
            guard let setting = settings.blurred, usual.isKnown, let sharpness = measures.sharpness else { return nil }
            return usual.sharpness.below(sharpness, setting, slack: 0.85)
        case .shifted:
            guard let setting = settings.shifted, usual.isKnown else { return nil }
            return usual.shift(of: measures.edges, limit: setting)
        case .noisy:
            guard let setting = settings.noisy, usual.isKnown else { return nil }
            let damaged = usual.damagedRows(measures)
            if damaged.isBad { return damaged }
            return .above(measures.noise, usual.noise.highest + setting)
        }
    }

    private mutating func note(_ fault: Fault, _ found: Judgement, _ number: UInt64) -> Finding? {
        let index = fault.rawValue
        let first = courses[index].note(isBad: found.isBad, number, settings)
        guard let first else { return nil }
        let hasBegun = courses[index].isActive
        return Finding(
            fault: fault,
            hasBegun: hasBegun,
            number: first,
            measure: hasBegun ? found.measure : 0,
            limit: hasBegun ? found.limit : 0
        )
    }
}

/// Whether a fault is there, with hysteresis.
private struct Course: Sendable {
    private(set) var isActive: Bool
    /// The newest pictures, the newest in the lowest bit; set where they were bad.
    private var history: UInt64 = 0
    private var seen = 0
    private var goodInARow = 0
    /// Where the good ones in a row began.
    private var firstGood: UInt64 = 0
    /// Numbers of the newest bad pictures, by number modulo 64.
    private var badNumbers = [UInt64](repeating: 0, count: 64)
    private var badCount = 0

    init(isActive: Bool) {
        self.isActive = isActive
    }

    mutating func forget() {
        history = 0
        goodInARow = 0
        badCount = 0
    }

    /// The picture with which the fault began or ended; nil where nothing changed.
    mutating func note(isBad: Bool, _ number: UInt64, _ settings: PictureWatch.Settings) -> UInt64? {
        history = history << 1 | (isBad ? 1 : 0)
        if isBad {
            badNumbers[badCount % 64] = number
            badCount += 1
            goodInARow = 0
        } else {
            if goodInARow == 0 { firstGood = number }
            goodInARow += 1
        }
        if isActive {
            guard goodInARow >= settings.good else { return nil }
            isActive = false
            history = 0
            badCount = 0
            return firstGood
        }
        let bad = (history & (1 << UInt64(settings.window) - 1)).nonzeroBitCount
        guard bad >= settings.bad else { return nil }
        isActive = true
        return badNumbers[(badCount - bad) % 64]
    }
}
