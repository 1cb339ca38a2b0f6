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
        subcommands: [SubmitModel.self, List.self, Show.self, ReviewModel.self]
    )

    struct SubmitModel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "submit",
            abstract: "Put a trained model on record, with what it was learned from and how it compares.",
            discussion: """
                The model and its report go to the console by content; a recipe that names the model's hash can be submitted
                afterwards, and is what is approved. The same again changes nothing.

                A model trained elsewhere (an ONNX file, or the .bin of an OpenVINO model; its .xml may be shared by many)
                needs --origin and --licence, and as its report that of `lineledger recipe test` with a draft recipe that names
                it; --compared is the report of the active recipe on the same pictures.

                Examples: lineledger model submit new.model --report new.train.json --reason "new lamp" --person ada \\
                              --plant plant.yaml
                          lineledger model submit scratches.onnx --report next.test.json --compared active.test.json \\
                              --origin "Acme Vision, order 4711, 3000 of our bottles" --licence LicenseRef-Acme-4711 \\
                              --reason "finds hair cracks" --person ada --plant plant.yaml
                """
        )
        @Argument(help: "Model file that lineledger train wrote, or .onnx or .bin file.") var file: String
        @Option(help: "Its report, from lineledger train; of a model trained elsewhere, from lineledger recipe test.")
        var report: String
        @Option(help: "Of a model trained elsewhere: by whom, and from what.") var origin: String?
        @Option(help: "Of a model trained elsewhere: its licence, an SPDX expression or words.") var licence: String?
        @Option(help: "With --origin: the report of lineledger recipe test on the active recipe and the same pictures.")
        var compared: String?
        @Option(help: "Why it was trained; it is kept for ever.") var reason: String
        @OptionGroup var by: RecipeActor

        func validate() throws {
            guard (origin == nil) == (licence == nil) else {
                throw ValidationError("--origin and --licence: found one; expected both, of a model trained elsewhere")
            }
            if compared != nil, origin == nil { throw ValidationError("--compared goes with --origin") }
            if file.hasSuffix(".xml") {
                throw ValidationError("\(file): found an OpenVINO model's graph; expected its weights, the .bin")
            }
        }

        func run() async throws {
            try await RecipeClient.run(try by.plant.load()) { client in
                let model = try Files.read(file, atMost: Recipe.namedFileLimit)
                guard LearnedModel.isModel(model) || origin != nil else {
                    Terminal.complain(
                        "\(file): no model that lineledger train wrote; expected one, or --origin and --licence of a model "
                            + "trained elsewhere"
                    )
                    throw ExitStatus.wrongUse
                }
                let report = try Files.read(report, atMost: 16 << 20)
                var request = by.request
                request.modelSHA256 = try await client.send(model)
                request.reportSHA256 = try await client.send(report)
                request.reason = reason
                (request.origin, request.licence) = (origin ?? "", licence ?? "")
                if let compared {
                    request.comparedSHA256 = try await client.send(try Files.read(compared, atMost: 16 << 20))
                }
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
                    String(row.sha256.prefix(12)), row.model.tool, ModelText.pictures(row.model),
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
