import ArgumentParser
import Foundation
import PlantCore
import ServiceRuntime
import Vision

/// A recipe's life: written, tested, approved, active, retired (CHG-03, CHG-04).
struct RecipeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recipe",
        abstract: "Check, test and compare recipes; submit, approve, release and retire them.",
        discussion: "Example: lineledger recipe validate deploy/recipes/demo.yaml",
        subcommands: [
            Validate.self, Test.self, Diff.self, Submit.self, Approve.self, SendBack.self, Release.self, Retire.self,
            Review.self, List.self,
        ]
    )

    struct Validate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Every mistake of a recipe file, by line and key; its templates and models are loaded too.",
            discussion: "Example: lineledger recipe validate deploy/recipes/demo.yaml --json"
        )
        @Argument(help: "Recipe file.") var file: String
        @Flag(help: "Only the file itself; load nothing that it names.") var syntaxOnly = false
        @Flag(help: "Also name what keeps the recipe from being submitted: files without their hash.") var submittable =
            false
        @Flag(help: "One JSON object on standard output.") var json = false

        private struct Report: Encodable {
            struct Mistake: Encodable {
                let line: Int
                let key: String
                let found: String
                let expected: String
            }

            let file: String
            let ok: Bool
            /// Nil where the file is no recipe.
            let recipe: String?
            let revision: String?
            let sha256: String?
            let mistakes: [Mistake]
        }

        func run() async throws {
            var recipe: Recipe?
            var mistakes: [RecipeError.Mistake] = []
            do {
                let loaded = try Recipe.load(path: file)
                recipe = loaded
                let folder = RecipePaths.folder(of: file)
                if !syntaxOnly { mistakes += loaded.mistakes(in: folder) }
                if submittable { mistakes += loaded.unfixed(in: folder) }
            } catch {
                mistakes = error.mistakes
            }
            if json {
                let report = Report(
                    file: file,
                    ok: mistakes.isEmpty,
                    recipe: recipe?.id,
                    revision: recipe?.revision,
                    sha256: recipe?.sha256,
                    mistakes: mistakes.map { .init(line: $0.line, key: $0.key, found: $0.found, expected: $0.expected) }
                )
                try Terminal.say(json: report)
            } else if mistakes.isEmpty, let recipe {
                Terminal.say("\(file): recipe \(recipe.id) revision \(recipe.revision), content \(recipe.sha256)")
            } else {
                Terminal.complain(RecipeError(file: file, mistakes: mistakes).description)
            }
            if !mistakes.isEmpty { throw ExitStatus.problemFound }
        }
    }

    struct Diff: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What differs in meaning between two recipes, key by key; exits 1 where something does.",
            discussion: """
                A recipe is a file, or the content hash of a submitted one (its first 6 digits or more).

                Example: lineledger recipe diff old.yaml new.yaml
                """
        )
        @Argument(help: "Recipe before.") var old: String
        @Argument(help: "Recipe after.") var new: String
        @OptionGroup var plant: PlantOption
        @Flag(help: "One JSON object for each difference.") var json = false

        func run() async throws {
            let differences: [RecipeDifference]
            do {
                differences = try RecipeDiff.between(try await text(old), try await text(new))
            } catch let mistakes as RecipeError {
                Terminal.complain("\(mistakes)")
                throw ExitStatus.wrongUse
            }
            for difference in differences {
                if json { try Terminal.say(json: difference) } else { Terminal.say("\(difference)") }
            }
            if !differences.isEmpty { throw ExitStatus.problemFound }
        }

        private func text(_ name: String) async throws -> String {
            guard !FileManager.default.fileExists(atPath: name), RecipePaths.isHash(name) else {
                do {
                    let bytes = try Files.read(name, atMost: Recipe.maxBytes)
                    return String(decoding: bytes, as: UTF8.self)
                } catch {
                    Terminal.complain("\(error)")
                    throw ExitStatus.wrongUse
                }
            }
            let plant = try plant.load()
            return try await RecipeClient.run(plant) { client in
                let bytes = try await client.content(try await client.row(name).sha256)
                return String(decoding: bytes, as: UTF8.self)
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The submitted recipes of a plant and where each stands; the console must run.",
            discussion: """
                Column models names those files of a recipe that are models on record; column review due says when the periodic
                review of an active recipe is due, or that it is overdue (recipes.review_days of the plant file), which raises
                the alarm review-overdue.

                Example: lineledger recipe list --plant deploy/plants/demo.yaml
                """
        )
        @OptionGroup var plant: PlantOption
        @Flag(help: "One JSON object for each.") var json = false

        func run() async throws {
            let plant = try plant.load()
            let rows = try await RecipeClient.run(plant) { try await $0.list() }
            if json { return try rows.forEach { try Terminal.say(json: $0) } }
            guard !rows.isEmpty else { return Terminal.say("no recipe was submitted") }
            let heading = [
                "content", "recipe", "revision", "station", "stage", "active for", "by", "approved by", "test",
                "models",
                "review due",
            ]
            let table = rows.map { row in
                [
                    String(row.sha256.prefix(12)), row.recipe, row.revision, row.station, row.stage.rawValue,
                    row.activeFor.joined(separator: " "), row.author, row.approver, RecipeText.test(row),
                    row.models.isEmpty ? "-" : row.models.map { String($0.prefix(12)) }.joined(separator: " "),
                    RecipeText.reviewDue(row),
                ]
            }
            Terminal.say(Terminal.table([heading] + table))
        }
    }
}

enum RecipePaths {
    static func folder(of file: String) -> String {
        let folder = (file as NSString).deletingLastPathComponent
        return folder.isEmpty ? "." : folder
    }

    /// Whether the word can be the beginning of a content hash.
    static func isHash(_ word: String) -> Bool {
        let digits = Set("0123456789abcdef")
        return (6...64).contains(word.count) && word.allSatisfy(digits.contains)
    }
}

enum RecipeText {
    static func test(_ row: RecipeWire.Row) -> String {
        guard !row.reportSHA256.isEmpty else { return "none" }
        let missed = row.challengesMissed > 0 ? ", \(row.challengesMissed) challenge pieces missed" : ""
        return "\(row.pictures) pictures, \(row.escapes) escapes, \(row.overkills) overkills\(missed), report "
            + "\(row.reportSHA256.prefix(12))"
    }

    /// When the periodic review is due; a dash for a recipe that needs none.
    static func reviewDue(_ row: RecipeWire.Row) -> String {
        guard let due = row.reviewDueUs else { return "-" }
        return row.isReviewOverdue ? "OVERDUE since \(day(due))" : day(due)
    }

    /// The day of a time, in UTC.
    static func day(_ timeUs: Int64) -> String {
        Date(timeIntervalSince1970: Double(timeUs) / 1e6).formatted(.iso8601.year().month().day())
    }

    static func said(_ reply: RecipeWire.Reply) -> String {
        if let model = reply.model { return ModelText.said(model, isRepeated: reply.isRepeated) }
        guard let row = reply.recipe else { return "recorded" }
        let active = row.activeFor.isEmpty ? "" : " for \(row.activeFor.joined(separator: ", "))"
        return
            "recipe \(row.recipe) revision \(row.revision) \(row.sha256.prefix(12)) is \(row.stage.rawValue)\(active)"
    }
}
