/// What a recipe made of labelled pictures and of its own challenge pieces (CHG-04, CHG-07).
package struct RecipeTestReport: Codable, Equatable, Sendable {
    /// A rate with its exact 95 % bounds (Clopper and Pearson 1934).
    package struct Share: Codable, Equatable, Sendable {
        package let events: Int
        package let trials: Int
        package let lower: Double
        package let upper: Double

        package init(_ rate: Rate) {
            events = rate.events
            trials = rate.trials
            lower = rate.lower
            upper = rate.upper
        }
    }

    /// A challenge piece of the recipe.
    package struct Challenge: Codable, Equatable, Sendable {
        package let piece: String
        /// Category that must be found; nil for a known good piece.
        package let expected: String?
        package let verdict: String
        /// Categories that were found, strongest first.
        package let categories: [String]
        /// Why the piece could not be judged; nil where it was.
        package let trouble: String?
        /// Whether the recipe made of the piece what it promises.
        package let isFound: Bool
    }

    /// A picture that was judged otherwise than its label, or not at all.
    package struct Miss: Codable, Equatable, Sendable {
        package let picture: String
        /// `normal` or `anomaly`.
        package let label: String
        /// Nil where it could not be judged.
        package let verdict: String?
        package let score: Double?
        package let reason: String
    }

    /// Most misjudged pictures that are listed.
    package static let missLimit = 1_000

    package let recipe: String
    package let revision: String
    /// SHA-256 over the recipe file.
    package let recipeSHA256: String
    /// SHA-256 of every template or model that judged.
    package let modelSHA256: [String]
    /// SHA-256 over one line `<sha256>  <label>  <name>\n` for each picture, in natural order of names.
    package let setSHA256: String
    /// Pictures that were judged.
    package let pictures: Int
    package let goodPassed: Int
    package let goodUncertain: Int
    package let goodFailed: Int
    package let badPassed: Int
    package let badUncertain: Int
    package let badFailed: Int
    /// Pictures that could not be judged.
    package let unjudged: Int
    /// Bad ones that passed, among bad ones.
    package let escapes: Share
    /// Good ones that failed, among good ones.
    package let overkill: Share
    package let challenges: [Challenge]
    /// At most `missLimit`, in natural order of names.
    package let misses: [Miss]

    private enum CodingKeys: String, CodingKey {
        case recipe, revision, pictures, unjudged, escapes, overkill, challenges, misses
        case recipeSHA256 = "recipe_sha256"
        case modelSHA256 = "model_sha256"
        case setSHA256 = "set_sha256"
        case goodPassed = "good_passed"
        case goodUncertain = "good_uncertain"
        case goodFailed = "good_failed"
        case badPassed = "bad_passed"
        case badUncertain = "bad_uncertain"
        case badFailed = "bad_failed"
    }
}

/// Runs a recipe on labelled pictures and on the challenge pieces that it names.
package struct RecipeTest {
    private let judge: Judge
    /// Folder of the recipe, where its challenge pieces lie.
    private let directory: String
    private var confusion = Confusion()
    private var list = ""
    private var misses: [RecipeTestReport.Miss] = []
    private var unjudged = 0

    package init(_ judge: Judge, directory: String) {
        self.judge = judge
        self.directory = directory
    }

    /// Judges every picture; `progress` is told how many are done.
    package mutating func run(
        _ labelled: LabelledFolder,
        progress: (Int) -> Void = { _ in }
    ) throws(FileError) -> RecipeTestReport {
        for (index, item) in labelled.items.enumerated() {
            let bytes = try Files.read(labelled.path(of: item), atMost: PictureCodec.maxFileBytes)
            take(item, bytes)
            progress(index + 1)
        }
        return report(try challenges())
    }

    private mutating func take(_ item: LabelledFolder.Item, _ bytes: [UInt8]) {
        let label = item.isBad ? "anomaly" : "normal"
        list += "\(hexSHA256(bytes))  \(label)  \(item.name)\n"
        let finding: Finding
        do {
            finding = try judge.judge(try PictureCodec.decode(bytes, name: item.name), sourceName: item.name)
        } catch {
            unjudged += 1
            miss(item.name, label, nil, "\(error)")
            return
        }
        confusion.add(isBad: item.isBad, verdict: finding.verdict)
        let isRight = item.isBad ? finding.verdict != .pass : finding.verdict == .pass
        if !isRight { miss(item.name, label, finding, finding.rejectionReason) }
    }

    private mutating func miss(_ name: String, _ label: String, _ finding: Finding?, _ reason: String) {
        guard misses.count < RecipeTestReport.missLimit else { return }
        misses.append(
            .init(
                picture: name,
                label: label,
                verdict: finding?.verdict.rawValue,
                score: finding?.score,
                reason: reason
            )
        )
    }

    private func challenges() throws(FileError) -> [RecipeTestReport.Challenge] {
        var challenges: [RecipeTestReport.Challenge] = []
        let files = RecipeFiles(directory: directory)
        for piece in judge.recipe.challengePieces {
            let bytes = try files.read(piece.picture, atMost: PictureCodec.maxFileBytes)
            challenges.append(challenge(piece, bytes))
        }
        return challenges
    }

    /// A bad piece is found when it does not pass and its category is among the defects; a good one when it passes.
    private func challenge(_ piece: Recipe.ChallengePiece, _ bytes: [UInt8]) -> RecipeTestReport.Challenge {
        let name = piece.picture.name
        do {
            let finding = try judge.judge(try PictureCodec.decode(bytes, name: name), sourceName: name)
            var categories: [String] = []
            for defect in finding.defects where !categories.contains(defect.found.category.rawValue) {
                categories.append(defect.found.category.rawValue)
            }
            let isFound =
                piece.expect.map { finding.verdict != .pass && categories.contains($0) } ?? (finding.verdict == .pass)
            return .init(
                piece: piece.piece,
                expected: piece.expect,
                verdict: finding.verdict.rawValue,
                categories: categories,
                trouble: nil,
                isFound: isFound
            )
        } catch {
            return .init(
                piece: piece.piece,
                expected: piece.expect,
                verdict: "",
                categories: [],
                trouble: "\(error)",
                isFound: false
            )
        }
    }

    private func report(_ challenges: [RecipeTestReport.Challenge]) -> RecipeTestReport {
        let counts = confusion
        return RecipeTestReport(
            recipe: judge.recipe.id,
            revision: judge.recipe.revision,
            recipeSHA256: judge.recipe.sha256,
            modelSHA256: judge.modelSHA256s,
            setSHA256: hexSHA256(Array(list.utf8)),
            pictures: counts.escapes.trials + counts.overkill.trials,
            goodPassed: counts.goodPassed,
            goodUncertain: counts.goodUncertain,
            goodFailed: counts.goodFailed,
            badPassed: counts.badPassed,
            badUncertain: counts.badUncertain,
            badFailed: counts.badFailed,
            unjudged: unjudged,
            escapes: .init(counts.escapes),
            overkill: .init(counts.overkill),
            challenges: challenges,
            misses: misses
        )
    }
}
