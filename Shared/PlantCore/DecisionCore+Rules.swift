import PlantEvents
import SwiftProtobuf

// What may be decided when. Each refusal says what was found, what is expected and what to do.
extension DecisionCore {
    /// Longest id, item code or revision, bytes.
    private static let wordLimit = 200
    private static let reasonLimit = 1_000
    private static let skuLimit = 256
    private static let fileLimit = 256
    private static let changeLimit = 200
    private static let heldSubjectLimit = 256

    func check(_ act: HumanAct) throws(Refusal) {
        try word(act.requestID, "request_id")
        try word(act.personID, "person")
        guard act.authentication != .unspecified else {
            throw Refusal("nothing says how the person \(act.personID) was known; the service that asks must say it")
        }
        guard act.reason.utf8.count <= Self.reasonLimit else {
            throw Refusal("reason: \(act.reason.utf8.count) bytes; expected at most \(Self.reasonLimit)")
        }
    }

    func submitted(_ event: RecipeSubmitted, _ act: HumanAct) throws(Refusal) -> Kind {
        try hash(event.recipeSha256, "recipe_sha256")
        try word(event.recipeID, "recipe")
        try word(event.station, "station")
        try products(event.skus)
        guard event.fileSha256.count <= Self.fileLimit else {
            throw Refusal("the recipe names \(event.fileSha256.count) files; expected at most \(Self.fileLimit)")
        }
        for file in event.fileSha256 { try hash(file, "file_sha256") }
        if let known = state.recipes[event.recipeSha256] {
            throw Refusal(
                "recipe \(event.recipeSha256.prefix(12)) was submitted by \(known.author) before and is "
                    + "\(known.stage.rawValue); to change it, give it another revision"
            )
        }
        guard state.recipes.count < Self.subjectLimit else {
            throw Refusal("the plant has \(state.recipes.count) recipes already; expected at most \(Self.subjectLimit)")
        }
        let replaced = state.recipes.filter {
            $0.value.stage == .active && $0.value.recipeID == event.recipeID && $0.value.station == event.station
        }
        return .recipeSubmitted(
            .with {
                $0 = event
                $0.act = act
                $0.replacesSha256 =
                    replaced.max { ($0.value.changedAtUs, $0.key) < ($1.value.changedAtUs, $1.key) }?.key ?? ""
                $0.changes = Array(event.changes.prefix(Self.changeLimit))
            }
        )
    }

    func tested(_ event: RecipeTested, _ act: HumanAct) throws(Refusal) -> Kind {
        let life = try known(event.recipeSha256)
        guard life.stage != .retired else { throw wrong(life, event.recipeSha256, "tested", "submit a new revision") }
        try hash(event.setSha256, "set_sha256")
        try hash(event.reportSha256, "report_sha256")
        let isSound =
            event.pictures > 0 && UInt64(event.escapes) + UInt64(event.overkills) <= UInt64(event.pictures)
            && event.challengesMissed <= event.challengePieces
        guard isSound else {
            throw Refusal(
                "\(event.escapes) escapes and \(event.overkills) overkills of \(event.pictures) pictures, "
                    + "\(event.challengesMissed) of \(event.challengePieces) challenge pieces missed: expected at least one "
                    + "picture, and no more found than there are"
            )
        }
        return .recipeTested(
            .with {
                $0 = event
                $0.act = act
            }
        )
    }

    func approved(_ event: RecipeApproved, _ act: HumanAct) throws(Refusal) -> Kind {
        let life = try known(event.recipeSha256)
        guard life.stage == .tested else {
            throw wrong(life, event.recipeSha256, "approved", "it must be tested first, and not decided on since")
        }
        guard act.personID != life.author else {
            throw Refusal("\(act.personID) submitted the recipe: another person must approve it")
        }
        guard event.reportSha256 == life.report else {
            throw Refusal(
                "the newest test report is \(life.report), not \(event.reportSha256.isEmpty ? "none" : event.reportSha256); "
                    + "read it and approve what you have seen"
            )
        }
        guard life.challengesMissed == 0 else {
            throw Refusal(
                "the test missed \(life.challengesMissed) challenge pieces: a recipe that does not find them cannot be "
                    + "approved; return it"
            )
        }
        return .recipeApproved(
            .with {
                $0 = event
                $0.recipeID = life.recipeID
                $0.act = act
            }
        )
    }

    func returned(_ event: RecipeReturned, _ act: HumanAct) throws(Refusal) -> Kind {
        let life = try known(event.recipeSha256)
        guard life.stage == .draft || life.stage == .tested else {
            throw wrong(life, event.recipeSha256, "returned", "an approved recipe is retired instead")
        }
        try reason(act)
        return .recipeReturned(
            .with {
                $0 = event
                $0.act = act
            }
        )
    }

    func released(_ event: RecipeReleased, _ act: HumanAct) throws(Refusal) -> Kind {
        let life = try known(event.recipeSha256)
        guard life.stage == .approved || life.stage == .active else {
            throw wrong(life, event.recipeSha256, "released", "only what was approved can be")
        }
        let skus = event.skus.isEmpty ? life.skus : event.skus
        try products(skus)
        if let other = skus.first(where: { !life.skus.contains($0) }) {
            throw Refusal(
                "product \(other): the recipe was submitted and approved for \(life.skus.joined(separator: ", "))"
            )
        }
        let stations = event.stations.isEmpty ? [life.station] : event.stations
        guard stations == [life.station] else {
            throw Refusal("stations \(stations.joined(separator: ", ")): the recipe is for station \(life.station)")
        }
        return .recipeReleased(
            .with {
                $0 = event
                $0.recipeID = life.recipeID
                $0.skus = skus
                $0.stations = stations
                $0.act = act
            }
        )
    }

    func retired(_ event: RecipeRetired, _ act: HumanAct) throws(Refusal) -> Kind {
        let life = try known(event.recipeSha256)
        guard life.stage != .retired else { throw wrong(life, event.recipeSha256, "retired", "nothing is left to do") }
        try reason(act)
        return .recipeRetired(
            .with {
                $0 = event
                $0.recipeID = life.recipeID
                $0.act = act
            }
        )
    }

    func trained(_ event: ModelTrained, _ act: HumanAct) throws(Refusal) -> Kind {
        try hash(event.modelSha256, "model_sha256")
        try learned(event)
        if !event.testSetSha256.isEmpty { try hash(event.testSetSha256, "test_set_sha256") }
        try hash(event.reportSha256, "report_sha256")
        try reason(act)
        try word(event.tool, "tool")
        if !event.backboneSha256.isEmpty { try hash(event.backboneSha256, "backbone_sha256") }
        guard event.trainingSetSha256 != event.testSetSha256 else {
            throw Refusal("the model was tested on the pictures it was trained on: expected others")
        }
        try compared(event)
        for stratum in event.strata { try word(stratum, "stratum") }
        guard state.models[event.modelSha256] == nil else {
            throw Refusal("model \(event.modelSha256.prefix(12)) is on record already")
        }
        guard state.models.count < Self.subjectLimit else {
            throw Refusal("the plant has \(state.models.count) models already; expected at most \(Self.subjectLimit)")
        }
        return .modelTrained(
            .with {
                $0 = event
                $0.act = act
            }
        )
    }

    /// A model's pictures are named; or, of one trained elsewhere, its origin and licence, and how it judged pictures here.
    private func learned(_ event: ModelTrained) throws(Refusal) {
        guard event.origin.isEmpty else {
            try word(event.origin, "origin")
            try word(event.licence, "licence")
            guard event.trainingSetSha256.isEmpty, event.pictures == 0, event.strata.isEmpty, event.hasFigures else {
                throw Refusal(
                    "\(event.pictures) training pictures of \(event.strata.count) strata and "
                        + "\(event.hasFigures ? "a" : "no") test of a model trained elsewhere: expected none, as they are not "
                        + "known, and a test on labelled pictures of this plant's parts"
                )
            }
            return
        }
        try hash(event.trainingSetSha256, "training_set_sha256")
        guard event.licence.isEmpty, event.pictures > 0, event.strata.count <= Self.changeLimit else {
            throw Refusal(
                "\(event.pictures) training pictures of \(event.strata.count) strata, licence \"\(event.licence.prefix(40))\": "
                    + "expected at least one picture and at most \(Self.changeLimit) strata; a licence goes with an origin, of a "
                    + "model trained elsewhere"
            )
        }
    }

    /// What is said of the test goes together: figures need test pictures, and a comparison the same ones.
    private func compared(_ event: ModelTrained) throws(Refusal) {
        guard event.hasFigures == !event.testSetSha256.isEmpty else {
            throw Refusal("figures without test pictures, or test pictures without figures: expected both or neither")
        }
        guard event.hasActiveFigures == !event.activeSha256.isEmpty, event.hasFigures || !event.hasActiveFigures else {
            throw Refusal("a comparison needs the active model's hash, its figures and the new model's: expected all")
        }
        if event.hasFigures { try sound(event.figures) }
        guard event.hasActiveFigures else { return }
        try hash(event.activeSha256, "active_sha256")
        try sound(event.activeFigures)
        let (new, active) = (event.figures, event.activeFigures)
        guard event.activeSha256 != event.modelSha256, (new.good, new.bad) == (active.good, active.bad) else {
            throw Refusal(
                "the new model judged \(new.good) good and \(new.bad) bad pictures, the active one "
                    + "\(active.good) and \(active.bad): expected two models and the same pictures"
            )
        }
    }

    private func sound(_ figures: ModelFigures) throws(Refusal) {
        guard figures.good > 0 || figures.bad > 0, figures.escapes <= figures.bad, figures.overkills <= figures.good,
            !figures.hasAuroc || (0...1).contains(figures.auroc)
        else {
            throw Refusal(
                "\(figures.escapes) escapes of \(figures.bad) bad and \(figures.overkills) overkills of "
                    + "\(figures.good) good pictures, AUROC \(figures.auroc): expected at least one picture, no more "
                    + "found than there are, and an AUROC of 0 to 1"
            )
        }
    }

    func reviewed(_ event: PerformanceReviewed, _ act: HumanAct) throws(Refusal) -> Kind {
        guard state.recipes[event.subjectSha256] != nil || state.models[event.subjectSha256] != nil else {
            throw Refusal(
                "\(event.subjectSha256.prefix(64)): neither a submitted recipe nor a model on record at this plant; expected one "
                    + "that lineledger recipe list or model list shows: submit it first"
            )
        }
        try hash(event.reportSha256, "report_sha256")
        try word(event.conclusion, "conclusion")
        guard event.fromUs < event.toUs, event.toUs <= act.actedAtUs || act.actedAtUs == 0 else {
            throw Refusal("the period reviewed must begin before it ends, and end before now")
        }
        return .performanceReviewed(
            .with {
                $0 = event
                $0.act = act
            }
        )
    }

    func placed(_ event: LegalHoldPlaced, _ act: HumanAct) throws(Refusal) -> Kind {
        try reason(act)
        let subjects = event.subjectIds
        guard (1...Self.heldSubjectLimit).contains(subjects.count), Set(subjects).count == subjects.count else {
            throw Refusal("\(subjects.count) subjects: expected 1 to \(Self.heldSubjectLimit), each once")
        }
        for subject in subjects { try word(subject, "subject") }
        guard state.legalHolds.count < Self.legalHoldLimit else {
            throw Refusal(
                "\(state.legalHolds.count) legal holds stand: expected at most \(Self.legalHoldLimit); lift one"
            )
        }
        return .legalHoldPlaced(
            .with {
                $0 = event
                $0.legalHoldID = nextLegalHold
                $0.act = act
            }
        )
    }

    func lifted(_ event: LegalHoldLifted, _ act: HumanAct) throws(Refusal) -> Kind {
        try reason(act)
        guard state.legalHolds[event.legalHoldID] != nil else {
            throw Refusal(
                "no legal hold \(event.legalHoldID.prefix(40)) stands; lineledger hold list shows which do"
            )
        }
        return .legalHoldLifted(
            .with {
                $0 = event
                $0.act = act
            }
        )
    }

    // MARK: Parts of the rules

    private func known(_ hash: String) throws(Refusal) -> RecipeLife {
        guard let life = state.recipes[hash] else {
            throw Refusal("recipe \(hash.prefix(64)): never submitted here; lineledger recipe list shows what is")
        }
        return life
    }

    private func wrong(_ life: RecipeLife, _ hash: String, _ verb: String, _ advice: String) -> Refusal {
        Refusal("recipe \(life.recipeID) \(hash.prefix(12)) is \(life.stage.rawValue) and cannot be \(verb): \(advice)")
    }

    private func reason(_ act: HumanAct) throws(Refusal) {
        guard !act.reason.allSatisfy(\.isWhitespace) else { throw Refusal("reason: expected why, in words") }
    }

    private func products(_ skus: [String]) throws(Refusal) {
        guard (1...Self.skuLimit).contains(skus.count), Set(skus).count == skus.count else {
            throw Refusal("\(skus.count) products: expected 1 to \(Self.skuLimit), each once")
        }
        for sku in skus { try word(sku, "product") }
    }

    private func word(_ text: String, _ name: String) throws(Refusal) {
        let isPlain = text.unicodeScalars.allSatisfy { !$0.properties.isWhitespace || $0 == " " }
        guard isPlain, (1...Self.wordLimit).contains(text.utf8.count), text.first != " ", text.last != " " else {
            throw Refusal("\(name): found \"\(text.prefix(40))\"; expected a word of 1 to \(Self.wordLimit) bytes")
        }
    }

    private func hash(_ text: String, _ name: String) throws(Refusal) {
        let digits = Array(text.utf8)
        guard digits.count == 64, digits.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            throw Refusal(
                "\(name): found \"\(text.prefix(70))\"; expected a SHA-256 in 64 lower-case hexadecimal digits"
            )
        }
    }
}
