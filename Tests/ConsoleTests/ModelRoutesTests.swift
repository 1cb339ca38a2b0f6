import Foundation
import NIOHTTP1
import PlantCore
import PlantEvents
import ServiceRuntime
import Testing
import Vision

/// A bright part on a dark ground, a little different for each number.
private func part(_ number: Int, isBroken: Bool = false) throws -> Picture {
    var pixels = [UInt8](repeating: 30, count: 150 * 120)
    for y in 0..<40 {
        for x in 0..<(isBroken ? 20 : 60) {
            pixels[(35 + y + number % 5) * 150 + 40 + x + number % 7] = UInt8(190 + (x * 7 + y * 3 + number) % 11)
        }
    }
    return try Picture(width: 150, height: 120, channels: 1, pixels: pixels)
}

/// A learned model, its file and its report.
private struct Trained {
    let file: [UInt8]
    let report: TrainingReport

    init(from first: Int, comparedWith active: LearnedTool? = nil) throws {
        let pictures = try (first..<first + 6).map { TrainingPicture(name: "p-\($0)", picture: try part($0)) }
        let learned = try LearnedTool.learn(from: pictures, kind: .surface)
        var pairs: [ModelComparison.Pair] = []
        for number in 50..<60 {
            let picture = try part(number, isBroken: number % 2 == 0)
            let judged = try learned.judge(nowUs: { 0 }).judge(picture, sourceName: "\(number)")
            pairs.append(
                .init(
                    name: "\(number)",
                    isBad: number % 2 == 0,
                    active: try active.map {
                        .init(try $0.judge(nowUs: { 0 }).judge(picture, sourceName: "\(number)"))
                    },
                    candidate: .init(judged)
                )
            )
        }
        file = learned.encoded()
        tool = learned
        report = TrainingReport(
            learned,
            model: "m.model",
            recipe: nil,
            strata: ["PCB-7, vision-1, early"],
            seconds: 1,
            judged: .init(
                ModelComparison(pairs),
                list: "list \(first)",
                leftOut: 0,
                activeSHA256: active.map { hexSHA256($0.encoded()) }
            )
        )
    }

    let tool: LearnedTool

    var reportBytes: [UInt8] {
        get throws { [UInt8](try JSONEncoder().encode(report)) }
    }
}

extension DecisionBench {
    fileprivate func submit(model: String, report: String, _ person: String = "ada", request: String) async throws
        -> Answer
    {
        var asked = RecipeWire.Request(requestID: request, person: person, systemUser: "root")
        (asked.modelSHA256, asked.reportSHA256, asked.reason) = (model, report, "new lamp")
        return try await send(.POST, RecipeWire.manageModels, [UInt8](try JSONEncoder().encode(asked)))
    }

    fileprivate func listing() async throws -> RecipeWire.Listing {
        let answer = try await send(.GET, RecipeWire.list)
        return try JSONDecoder().decode(RecipeWire.Listing.self, from: Data(answer.body))
    }
}

@Suite struct ModelRoutesTests {
    @Test("ML-02: a trained model goes on record once, with what stands in its file and report, and recipes name it")
    func record() async throws {
        try await DecisionBench.run { bench in
            let old = try Trained(from: 0)
            let new = try Trained(from: 20, comparedWith: old.tool)
            let model = try await bench.keep(new.file)
            let report = try await bench.keep(try new.reportBytes)
            for isRepeated in [false, true] {
                let answer = try await bench.submit(model: model, report: report, request: "one")
                #expect(answer.status == 200, "\(answer.text)")
                let reply = try JSONDecoder().decode(RecipeWire.Reply.self, from: Data(answer.body))
                #expect(reply.isRepeated == isRepeated && reply.model?.model.author == "ada")
            }
            let again = try await bench.submit(model: model, report: report, request: "two")
            #expect(again.status == 409)
            #expect(try again.error().contains("on record already"))
            let records = try await bench.decisions()
            guard records.count == 1, case .modelTrained(let event)? = records.first?.events.first?.kind else {
                Issue.record("\(records)")
                return
            }
            #expect(event.trainingSetSha256 == new.tool.setSHA256 && event.pictures == 6 && event.tool == "surface")
            #expect(event.activeSha256 == hexSHA256(old.file) && event.figures.bad == 5 && event.figures.good == 5)
            #expect(event.activeFigures.bad == 5 && event.strata == ["PCB-7, vision-1, early"])

            let recipe = try await bench.keep(
                Array(
                    """
                    recipe: pcb-7
                    revision: "1"
                    station: vision-1
                    product: PCB-7
                    control_plan: CP-7/3
                    tools:
                      - name: learned
                        surface_model: {model: {file: m.model, sha256: \(model)}}
                    limits: {fail_at: 1.0}
                    reaction: {hold_on: [], reject_uncertain: true}

                    """.utf8
                )
            )
            #expect(try await bench.ask("", "ada") { $0.recipeSHA256 = recipe }.status == 200)
            let listing = try await bench.listing()
            #expect(listing.recipes.first?.models == [model] && listing.models.first?.recipes == [recipe])
        }
    }

    @Test("ML-02, I9: what is not a model, or another model's report, is refused")
    func refuses() async throws {
        try await DecisionBench.run { bench in
            let (one, other) = (try Trained(from: 0), try Trained(from: 20))
            let model = try await bench.keep(one.file)
            let foreign = try await bench.keep(try other.reportBytes)
            let mixed = try await bench.submit(model: model, report: foreign, request: "a")
            #expect(mixed.status == 400)
            #expect(try mixed.error().contains("the training report is of model"))
            let nonsense = try await bench.keep([1, 2, 3])
            let report = try await bench.keep(try one.reportBytes)
            #expect(try await bench.submit(model: nonsense, report: report, request: "b").status == 400)
            #expect(try await bench.submit(model: model, report: nonsense, request: "c").status == 400)
            let unsent = String(repeating: "a", count: 64)
            let missing = try await bench.submit(model: unsent, report: report, request: "d")
            #expect(try missing.error().contains("was not sent"))
            #expect(try await bench.submit(model: model, report: report, "", request: "e").status == 409)
            #expect(try await bench.send(.POST, RecipeWire.manageModels, [], token: "guessed").status == 401)
            #expect(try await bench.decisions().isEmpty)
        }
    }

    @Test("ML-04: a review goes on record with the report that it rests on, which must be of the model reviewed")
    func review() async throws {
        try await DecisionBench.run { bench in
            let trained = try Trained(from: 0)
            let model = try await bench.keep(trained.file)
            let report = try await bench.keep(try trained.reportBytes)
            #expect(try await bench.submit(model: model, report: report, request: "a").status == 200)
            for (subject, status) in [(String(repeating: "b", count: 64), 400), (model, 200)] {
                let found = ReviewReport(
                    subject: "m",
                    subjectSHA256: subject,
                    basis: "the first parts",
                    period: 1..<2,
                    series: [.init(name: "vision-1", known: [1, 2], recent: [("p-1", 1)])]
                )
                let sent = try await bench.keep([UInt8](try JSONEncoder().encode(found)))
                let answer = try await bench.ask("/\(model)/review", "ben") {
                    $0.reportSHA256 = sent
                    $0.review = .init(fromUs: 1, toUs: 2, conclusion: found.conclusion)
                }
                #expect(answer.status == status, "\(answer.text)")
            }
            let stored = try await bench.listing().models.first?.model.review
            #expect(stored?.conclusion == "too few" && stored?.person == "ben")
        }
    }
}
