import ArgumentParser
import Foundation
import PlantCore
import ReadModel
import ServiceRuntime
import Vision

/// A trained model's life: put on record, named by recipes, reviewed (ML-02, ML-04).
struct ModelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Put trained models on record, list and show them, and review how models and recipes perform.",
        discussion: "Example: lineledger model list --plant deploy/plants/demo.yaml",
        subcommands: [Submit.self, List.self, Show.self, ReviewModel.self]
    )

    struct Submit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a trained model on record, with what it was learned from and how it compares.",
            discussion: """
                The model and its report go to the console by content; a recipe that names the model's hash can be submitted
                afterwards, and is what is approved. The same again changes nothing.

                Example: lineledger model submit new.model --report new.train.json --reason "new lamp" --person ada \\
                             --plant plant.yaml
                """
        )
        @Argument(help: "Model file that lineledger train wrote.") var file: String
        @Option(help: "Its report, from lineledger train --report.") var report: String
        @Option(help: "Why it was trained; it is kept for ever.") var reason: String
        @OptionGroup var by: RecipeActor

        func run() async throws {
            try await RecipeClient.run(try by.plant.load()) { client in
                let model = try Files.read(file, atMost: LearnedTool.maxFileBytes)
                let report = try Files.read(report, atMost: 16 << 20)
                var request = by.request
                request.modelSHA256 = try await client.send(model)
                request.reportSHA256 = try await client.send(report)
                request.reason = reason
                // The same model, report and person is the same request, however often it is sent.
                let content = "\(request.modelSHA256) \(request.reportSHA256) \(request.person)"
                request.requestID = "model-\(hexSHA256(Array(content.utf8)))"
                try by.say(try await client.train(request))
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The models on record at a plant; the console must run.",
            discussion: "Example: lineledger model list --plant deploy/plants/demo.yaml"
        )
        @OptionGroup var plant: PlantOption
        @Flag(help: "One JSON object for each.") var json = false

        func run() async throws {
            let plant = try plant.load()
            let listing = try await RecipeClient.run(plant) { try await $0.listing() }
            if json { return try listing.models.forEach { try Terminal.say(json: $0) } }
            guard !listing.models.isEmpty else { return Terminal.say("no model is on record") }
            let heading = ["content", "tool", "pictures", "trained", "by", "test", "active then", "review", "recipes"]
            let stages = Dictionary(uniqueKeysWithValues: listing.recipes.map { ($0.sha256, $0) })
            let table = listing.models.map { row in
                let recipes = row.recipes.map { sha256 in
                    stages[sha256].map { "\($0.recipe) \($0.revision) (\($0.stage.rawValue))" }
                        ?? String(sha256.prefix(12))
                }
                return [
                    String(row.sha256.prefix(12)), row.model.tool, "\(row.model.pictures)",
                    RecipeText.day(row.model.trainedAtUs), row.model.author, ModelText.figures(row.model.figures),
                    ModelText.figures(row.model.comparedFigures), ModelText.review(row.model.review),
                    recipes.isEmpty ? "-" : recipes.joined(separator: ", "),
                ]
            }
            Terminal.say(Terminal.table([heading] + table))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "One model: what it was learned from, how it compares, where it judged, its reviews.",
            discussion: """
                It reads the plant's read model, and so needs no running service.

                Example: lineledger model show 9c56cc51b374 --plant deploy/plants/demo.yaml
                """
        )
        @Argument(help: "Content hash, or its first 6 digits or more.") var model: String
        @OptionGroup var plant: PlantOption
        @Flag(help: "One JSON object on standard output.") var json = false

        func run() async throws {
            let file = try plant.load()
            let models: [ModelInfo]
            do {
                models = try Queries(path: file.readModelPath).models()
            } catch {
                Terminal.complain("\(file.readModelPath): \(error); run the plant first, or `lineledger rebuild`")
                throw ExitStatus.unreachable
            }
            let fitting = RecipePaths.isHash(model) ? models.filter { $0.modelSha256.hasPrefix(model) } : []
            guard let info = fitting.first, fitting.count == 1 else {
                Terminal.complain(
                    "\(model): \(fitting.count) models on record; expected 6 or more digits of one content hash, as "
                        + "lineledger model list shows them"
                )
                throw ExitStatus.problemFound
            }
            if json {
                Terminal.say(String(decoding: try Queries.json(info), as: UTF8.self))
            } else {
                Terminal.say(ModelText.text(info))
            }
        }
    }
}
