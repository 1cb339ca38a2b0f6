import EventLog
import PlantCore
import PlantEvents
import SwiftProtobuf

/// What people released and retired, as the log says, and what may judge after it: the rules once more, as
/// deploy/docs/recipes.md has them.
struct RecipeBook {
    private struct Release {
        let station: String
        let sku: String
        let recipe: String
        let sha256: String
    }

    /// In the order of the log, replaced and retired ones too.
    private var releases: [Release] = []
    private(set) var retired: Set<String> = []

    mutating func take(_ kind: DecisionRecord.Event.OneOf_Kind) {
        switch kind {
        case .recipeReleased(let event):
            for station in event.stations {
                for sku in event.skus {
                    releases.append(
                        Release(station: station, sku: sku, recipe: event.recipeID, sha256: event.recipeSha256)
                    )
                }
            }
        case .recipeRetired(let event): retired.insert(event.recipeSha256)
        default: break
        }
    }

    /// Recipe and content that an order's parts at the station are to be judged by; nil where nothing may judge (I2).
    ///
    /// - Parameters:
    ///   - recipe: what the order asks for; empty for the station's default.
    ///   - sha256: content that the order names; empty where it names none.
    func approved(_ recipe: String, _ sha256: String, sku: String, station: String) -> (id: String, sha256: String)? {
        let found = wish(recipe, sha256, sku: sku, station: station)
        guard let found, !retired.contains(found.sha256) else { return nil }
        return found
    }

    /// What is looked for: the release that fits, or else what the order asks for.
    func asked(_ recipe: String, _ sha256: String, sku: String, station: String) -> (recipe: String, sha256: String) {
        let here = releases.filter { $0.station == station && $0.sku == sku }
        guard sha256.isEmpty else {
            let fits = here.last { $0.sha256 == sha256 && (recipe.isEmpty || recipe == $0.recipe) }
            return retired.contains(sha256) ? (recipe, sha256) : (fits?.recipe ?? recipe, sha256)
        }
        // Of each recipe the newest release counts, and once that is retired, none.
        var newest: [String: Int] = [:]
        for (index, release) in here.enumerated() { newest[release.recipe] = index }
        let standing = newest.filter {
            !retired.contains(here[$0.value].sha256) && (recipe.isEmpty || $0.key == recipe)
        }
        guard let last = standing.values.max() else { return (recipe, "") }
        return (here[last].recipe, here[last].sha256)
    }

    private func wish(
        _ recipe: String,
        _ sha256: String,
        sku: String,
        station: String
    ) -> (id: String, sha256: String)? {
        let found = asked(recipe, sha256, sku: sku, station: station)
        let name = found.recipe.isEmpty ? SimPlant.defaultRecipe : found.recipe
        if !found.sha256.isEmpty { return (name, found.sha256) }
        let isReleased = releases.contains { $0.station == station && $0.sku == sku }
        return isReleased ? nil : (name, SimPlant.sha256(of: name))
    }
}

extension Checks {
    /// CHG-03, CHG-04, I9: what is released was submitted, tested with nothing missed, and approved by another person on the
    /// newest report; what is retired stays so.
    func checkDecisions() throws {
        struct Life {
            var author = ""
            var report = ""
            var missed: UInt32 = 0
            var isApproved = false
            var isRetired = false
        }
        var lives: [String: Life] = [:]
        for entry in ledger[.decisions] where !entry.isUnknown {
            guard case .decisions(let record) = entry.content else { continue }
            for event in record.events {
                func demand(_ holds: Bool, _ sha256: String, _ text: String) throws {
                    try require(holds, .approvedRecipe, sha256, "\(entry.meta.recordID): \(text)")
                }
                switch event.kind {
                case .recipeSubmitted(let event):
                    try demand(lives[event.recipeSha256] == nil, event.recipeSha256, "submitted twice")
                    lives[event.recipeSha256] = Life(author: event.act.personID)
                case .recipeTested(let event):
                    let isOpen = lives[event.recipeSha256].map { !$0.isRetired } ?? false
                    try demand(isOpen, event.recipeSha256, "tested, and never submitted or retired")
                    lives[event.recipeSha256]?.report = event.reportSha256
                    lives[event.recipeSha256]?.missed = event.challengesMissed
                case .recipeApproved(let event):
                    let life = lives[event.recipeSha256] ?? Life()
                    let isSound =
                        event.act.personID != life.author && event.reportSha256 == life.report && !life.report.isEmpty
                        && life.missed == 0 && !life.isRetired
                    try demand(isSound, event.recipeSha256, "approved without a sound test, or by its author")
                    lives[event.recipeSha256]?.isApproved = true
                case .recipeReleased(let event):
                    let life = lives[event.recipeSha256] ?? Life()
                    try demand(life.isApproved && !life.isRetired, event.recipeSha256, "released, and not approved")
                    let isForSomething = !event.skus.isEmpty && !event.stations.isEmpty
                    try demand(isForSomething, event.recipeSha256, "released for nothing")
                case .recipeRetired(let event):
                    try demand(lives[event.recipeSha256]?.isRetired == false, event.recipeSha256, "retired twice")
                    lives[event.recipeSha256]?.isRetired = true
                default: break
                }
            }
        }
    }

    /// Releases and retirements with their origins, in the order of the log: what every inspector adopts.
    var recipeDecisions: [(origin: Origin, kind: DecisionRecord.Event.OneOf_Kind)] {
        ledger[.decisions].flatMap { entry -> [(origin: Origin, kind: DecisionRecord.Event.OneOf_Kind)] in
            guard case .decisions(let record) = entry.content else { return [] }
            return record.events.compactMap { event in
                switch event.kind {
                case .recipeReleased, .recipeRetired: event.kind.map { (entry.meta.origin, $0) }
                default: nil
                }
            }
        }
    }
}

/// The cameras of one partition's stations: a lost one sees nothing until it is back, with a new session.
struct CameraWalk {
    private var lost: Set<String> = []
    private var lastFrame: [String: TriggerId] = [:]

    mutating func take(_ record: FrameRecord) throws {
        var returned: String?
        for event in record.events {
            if let station = returned {
                guard case .triggerSessionStarted(let started)? = event.kind, started.station == station else {
                    throw Violation(.everyTriggerEnds, station, "camera \(station) is back without a new session")
                }
                returned = nil
            }
            switch event.kind {
            case .cameraLost(let event):
                let isSound = lost.insert(event.station).inserted && !event.reason.isEmpty
                try require(isSound, .truth, event.station, "camera \(event.station) was lost twice, or for no reason")
                try require(
                    event.lastTrigger == lastFrame[event.station] ?? TriggerId(),
                    .truth,
                    event.station,
                    "camera \(event.station) was lost after \(event.lastTrigger.text), not after its last frame"
                )
            case .cameraReturned(let event):
                try require(
                    lost.remove(event.station) != nil && event.lostForUs >= 0,
                    .truth,
                    event.station,
                    "camera \(event.station) is back and was not lost"
                )
                returned = event.station
            case .triggerSessionStarted(let event): try expectSeen(event.station, "begins a session")
            case .frameCaptured(let frame):
                try expectSeen(frame.trigger.station, "has a frame")
                lastFrame[frame.trigger.station] = frame.trigger
            case .frameMissed(let gap) where gap.reason == SimPlant.cameraGone:
                try require(
                    lost.contains(gap.trigger.station),
                    .everyTriggerEnds,
                    gap.trigger.text,
                    "\(gap.trigger.text) is said to have no frame because its camera is gone, and it was there"
                )
            case .frameMissed(let gap): try expectSeen(gap.trigger.station, "has another gap")
            default: break
            }
        }
        try require(returned == nil, .everyTriggerEnds, returned ?? "", "a camera is back without a new session")
    }

    private func expectSeen(_ station: String, _ what: String) throws {
        try require(!lost.contains(station), .everyTriggerEnds, station, "camera \(station) is gone and \(what)")
    }

    /// At rest every camera is back.
    func checkEnd() throws {
        try require(lost.isEmpty, .everyTriggerEnds, lost.min() ?? "", "cameras \(lost.sorted()) never came back")
    }
}

extension InspectionWalk {
    /// A release or retirement is adopted once, in its turn and as it was decided.
    mutating func adopt(
        _ decision: Origin,
        _ isMeant: (DecisionRecord.Event.OneOf_Kind) -> Bool,
        _ meta: Meta
    ) throws {
        guard adoptedDecisions < decisions.count, decisions[adoptedDecisions].origin == decision,
            isMeant(decisions[adoptedDecisions].kind)
        else {
            throw Violation(
                .approvedRecipe,
                meta.recordID,
                "\(meta.recordID) adopts a decision twice, out of turn or other than it was taken"
            )
        }
        book.take(decisions[adoptedDecisions].kind)
        adoptedDecisions += 1
        // Every station asks again.
        for station in benches.keys { benches[station]?.refused = nil }
    }

    mutating func adopt(_ released: RecipeReleaseAdopted, _ meta: Meta) throws {
        try adopt(
            released.decision,
            { kind in
                guard case .recipeReleased(let event) = kind else { return false }
                return event.recipeID == released.recipeID && event.recipeSha256 == released.recipeSha256
                    && event.skus == released.skus && event.stations == released.stations
            },
            meta
        )
    }

    mutating func adopt(_ retired: RecipeRetirementAdopted, _ meta: Meta) throws {
        try adopt(
            retired.decision,
            { kind in
                guard case .recipeRetired(let event) = kind else { return false }
                return event.recipeSha256 == retired.recipeSha256
            },
            meta
        )
    }
}
