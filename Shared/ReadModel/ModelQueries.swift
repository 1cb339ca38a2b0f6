import SQLite

/// A trained model on record, with its reviews and where it has judged (ML-02, ML-04).
package struct ModelInfo: Codable, Sendable, Equatable {
    package let modelSha256: String
    /// What was learned; example "anomaly".
    package let tool: String
    /// Empty where it needs no network.
    package let backboneSha256: String
    package let pictures: Int64
    package let strata: [String]
    package let trainingSetSha256: String
    /// Empty without a test.
    package let testSetSha256: String
    package let reportSha256: String
    /// Good and bad test pictures, bad ones that passed, good ones that failed.
    package let good: Int64
    package let bad: Int64
    package let escapes: Int64
    package let overkills: Int64
    package let auroc: Double?
    /// The active model that judged the same pictures; nil where there was none.
    package let active: ComparedModel?
    /// Of a model trained elsewhere: by whom and from what, and its licence; both empty for one that was learned here.
    package let origin: String
    package let licence: String
    /// Person who put it on record.
    package let trainedBy: String
    package let reason: String
    package let trainedAtUs: Int64
    /// Newest first, also those of the recipes that name it.
    package let reviews: [ReviewInfo]
    /// Oldest first.
    package let uses: [ModelUse]
}

/// The model that a new one was compared with, on the same pictures.
package struct ComparedModel: Codable, Sendable, Equatable {
    package let sha256: String
    package let escapes: Int64
    package let overkills: Int64
    package let auroc: Double?
}

/// One periodic review.
package struct ReviewInfo: Codable, Sendable, Equatable {
    /// Model or recipe.
    package let subjectSha256: String
    package let fromUs: Int64
    package let toUs: Int64
    package let conclusion: String
    package let reportSha256: String
    package let reviewedBy: String
    package let atUs: Int64
}

/// A station that took a recipe which names the model.
package struct ModelUse: Codable, Sendable, Equatable {
    package let station: String
    package let recipeID: String
    package let recipeSha256: String
    /// When it did so last.
    package let atUs: Int64
}

/// One part's score.
package struct ScoredPart: Codable, Sendable, Equatable {
    package let partID: String
    /// In units of the fail limit, the recipe's or the tool's.
    package let score: Double
    package let triggeredAtUs: Int64
}

extension Queries {
    /// All models on record, newest first.
    package func models() throws -> [ModelInfo] {
        try snapshot {
            try rows(
                """
                SELECT model_sha256, tool, backbone_sha256, pictures, strata, training_set_sha256, test_set_sha256,
                    report_sha256, good, bad, escapes, overkills, auroc, active_sha256, active_escapes,
                    active_overkills, active_auroc, origin, licence, person_id, reason, at_us
                FROM model_trained ORDER BY at_us DESC, model_sha256
                """
            ) { try model($0) }
        }
    }

    private func model(_ row: Statement) throws -> ModelInfo {
        let sha256 = row.text(0)
        let uses = try uses(of: sha256)
        let subjects = Set(uses.map(\.recipeSha256)).union([sha256]).sorted()
        let found = try subjects.flatMap { try reviews(of: $0) }
        let active = ComparedModel(
            sha256: row.text(13),
            escapes: row.int(14),
            overkills: row.int(15),
            auroc: row.isNull(16) ? nil : row.double(16)
        )
        return ModelInfo(
            modelSha256: sha256,
            tool: row.text(1),
            backboneSha256: row.text(2),
            pictures: row.int(3),
            strata: row.text(4).split(separator: "\n").map(String.init),
            trainingSetSha256: row.text(5),
            testSetSha256: row.text(6),
            reportSha256: row.text(7),
            good: row.int(8),
            bad: row.int(9),
            escapes: row.int(10),
            overkills: row.int(11),
            auroc: row.isNull(12) ? nil : row.double(12),
            active: active.sha256.isEmpty ? nil : active,
            origin: row.text(17),
            licence: row.text(18),
            trainedBy: row.text(19),
            reason: row.text(20),
            trainedAtUs: row.int(21),
            reviews: found.sorted { ($1.toUs, $0.reportSha256) < ($0.toUs, $1.reportSha256) },
            uses: uses
        )
    }

    private func uses(of model: String) throws -> [ModelUse] {
        try rows(
            """
            SELECT station, recipe_id, recipe_sha256, at_us FROM recipe_activated
            WHERE instr(char(10) || model_sha256 || char(10), char(10) || ? || char(10)) > 0
            ORDER BY at_us, station, recipe_sha256
            """,
            .text(model)
        ) { ModelUse(station: $0.text(0), recipeID: $0.text(1), recipeSha256: $0.text(2), atUs: $0.int(3)) }
    }

    private func reviews(of subject: String) throws -> [ReviewInfo] {
        try rows(
            """
            SELECT from_us, to_us, conclusion, report_sha256, person_id, at_us FROM performance_reviewed
            WHERE subject_sha256 = ?
            """,
            .text(subject)
        ) { row in
            ReviewInfo(
                subjectSha256: subject,
                fromUs: row.int(0),
                toUs: row.int(1),
                conclusion: row.text(2),
                reportSha256: row.text(3),
                reviewedBy: row.text(4),
                atUs: row.int(5)
            )
        }
    }

    /// Content hashes of all recipes that stations took, and of the models that these name.
    package func judgingContents() throws -> [String] {
        let found = try rows("SELECT recipe_sha256, model_sha256 FROM recipe_activated") { row in
            [row.text(0)] + row.text(1).split(separator: "\n").map(String.init)
        }
        return Set(found.joined()).sorted()
    }

    /// Content hashes of what judged at stations and is, or names, the content with this hash.
    package func recipes(thatAreOrName sha256: String) throws -> [String] {
        try texts(
            """
            SELECT DISTINCT recipe_sha256 FROM recipe_activated
            WHERE recipe_sha256 = ?1
                OR instr(char(10) || model_sha256 || char(10), char(10) || ?1 || char(10)) > 0
            ORDER BY recipe_sha256
            """,
            .text(sha256)
        )
    }

    /// Stations where one of these recipes judged, by name.
    package func stations(judgingBy recipes: [String]) throws -> [String] {
        let marks = recipes.map { _ in "?" }.joined(separator: ", ")
        return try rows(
            "SELECT DISTINCT station FROM recipe_activated WHERE recipe_sha256 IN (\(marks)) ORDER BY station",
            recipes.map { .text($0) }
        ) { $0.text(0) }
    }

    /// Names of the tools of each of these recipes, in its order, by content hash; none for one that judged before tools
    /// were named on record.
    package func tools(of recipes: [String]) throws -> [String: [String]] {
        let marks = recipes.map { _ in "?" }.joined(separator: ", ")
        let found = try rows(
            "SELECT recipe_sha256, tools FROM recipe_activated WHERE recipe_sha256 IN (\(marks)) AND tools <> ''",
            recipes.map { .text($0) }
        ) { ($0.text(0), $0.text(1).split(separator: "\n").map(String.init)) }
        return Dictionary(found) { first, _ in first }
    }

    /// Scores of parts that one of these recipes judged at the station: the first `known` ones, and of those after them the
    /// newest `recent` ones; each in the order of time. Parts without a verdict have none.
    ///
    /// - Parameter tool: one tool's scores, of parts that it looked at; nil for the verdicts'.
    package func scores(
        of recipes: [String],
        at station: String,
        tool: String? = nil,
        known: Int,
        recent: Int
    ) throws -> (known: [ScoredPart], recent: [ScoredPart]) {
        try snapshot {
            var choice = PartChoice(recipes: recipes, station: station, tool: nil)
            if let tool {
                let places = try tools(of: recipes).compactMapValues { $0.firstIndex(of: tool) }
                choice = PartChoice(recipes: places.keys.sorted(), station: station, tool: places)
            }
            let first = try scores(choice, after: nil, limit: known, isNewestFirst: false)
            guard let last = first.last else { return ([], []) }
            let newest = try scores(choice, after: last, limit: recent, isNewestFirst: true)
            return (first.compactMap(\.part), newest.reversed().compactMap(\.part))
        }
    }

    /// Which parts' scores are asked for.
    private struct PartChoice {
        let recipes: [String]
        let station: String
        /// Where the tool stands among each recipe's tools; nil for the verdicts.
        let tool: [String: Int]?
    }

    /// A row of the order that is asked for; without a part where it has no score of the tool.
    private struct ScoredRow {
        let key: Int64
        let triggeredAtUs: Int64
        let part: ScoredPart?
    }

    private func scores(
        _ choice: PartChoice,
        after last: ScoredRow?,
        limit: Int,
        isNewestFirst: Bool
    ) throws -> [ScoredRow] {
        let marks = choice.recipes.map { _ in "?" }.joined(separator: ", ")
        let direction = isNewestFirst ? "DESC" : "ASC"
        let cells: [Cell] =
            choice.recipes.map { .text($0) }
            + [
                .text(choice.station), .int(last?.triggeredAtUs ?? .min), .int(last?.key ?? .min), .int(Int64(limit)),
            ]
        return try rows(
            """
            SELECT p.key, coalesce(p.serial, s.station || '/' || s.session || '/' || (p.key & \(Schema.sequenceMask))),
                p.score, p.triggered_at_us, p.scores, t.text
            FROM part p JOIN source s ON s.id = p.key >> \(Schema.sequenceBits) JOIN term t ON t.id = p.recipe
            WHERE p.recipe IN (SELECT id FROM term WHERE text IN (\(marks))) AND p.outcome BETWEEN 1 AND 3
                AND s.station = ? AND (p.triggered_at_us, p.key) > (?, ?)
                \(choice.tool == nil ? "" : "AND p.scores IS NOT NULL")
            ORDER BY p.triggered_at_us \(direction), p.key \(direction) LIMIT ?
            """,
            cells
        ) { row in
            let score =
                if let tool = choice.tool { Self.score(row.blob(4), at: tool[row.text(5)]) } else { row.double(2) }
            let atUs = row.int(3)
            let part = score.map { ScoredPart(partID: row.text(1), score: $0, triggeredAtUs: atUs) }
            return ScoredRow(key: row.int(0), triggeredAtUs: atUs, part: part)
        }
    }

    /// The float at this place of `part.scores`; nil where it has none.
    private static func score(_ scores: [UInt8], at place: Int?) -> Double? {
        guard let place, 4 * place + 4 <= scores.count else { return nil }
        let bits = scores[(4 * place)..<(4 * place + 4)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Double(Float(bitPattern: bits))
    }
}
