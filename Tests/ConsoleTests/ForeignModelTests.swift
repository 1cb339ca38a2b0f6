import Foundation
import NIOHTTP1
import PlantEvents
import ServiceRuntime
import Testing
import Vision

/// A tool that finds the first pixel's level as its score, in units of 100.
private struct FirstPixel: Tool {
    func inspect(_ part: PartView, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        ToolResult(score: Double(part.picture.pixels[0]) / 100, defects: [])
    }
}

/// The report of a recipe's test on pictures of these levels, of which those from 100 on are bad.
private func report(models: [String], levels: [UInt8], folder: String, unreadable: Bool = false) throws -> [UInt8] {
    let recipe = Recipe(
        id: "pcb-7",
        revision: "2",
        station: "vision-1",
        product: "PCB-7",
        controlPlan: "CP-7",
        tools: [
            .init(name: "net", settings: AnomalySettings(model: "m"), limits: .init(failAt: 1, uncertainAt: 1))
        ],
        reaction: .init(holdOn: [], holdAfter: nil, rejectUncertain: false),
        sha256: String(repeating: "d", count: 64)
    )
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var table = "image,label\n"
    for (number, level) in levels.enumerated() {
        let picture = try Picture(width: 4, height: 4, channels: 1, pixels: Array(repeating: level, count: 16))
        try Data(try PictureCodec.encodePNG(picture)).write(to: URL(filePath: "\(folder)/\(number).png"))
        table += "\(number).png,\(level >= 100 ? "anomaly" : "normal")\n"
    }
    if unreadable {
        try Data([1, 2, 3]).write(to: URL(filePath: "\(folder)/x.png"))
        table += "x.png,normal\n"
    }
    try Data(table.utf8).write(to: URL(filePath: "\(folder)/labels.csv"))
    var test = RecipeTest(Judge(recipe: recipe, tool: FirstPixel(), modelSHA256s: models), directory: folder)
    return [UInt8](try JSONEncoder().encode(try test.run(try LabelledFolder.read(folder))))
}

extension DecisionBench {
    fileprivate func submit(
        model: String,
        report: String,
        compared: String = "",
        origin: String = "Acme Vision, order 4711",
        licence: String = "Apache-2.0",
        request: String
    ) async throws -> Answer {
        var asked = RecipeWire.Request(requestID: request, person: "ada", systemUser: "root")
        (asked.modelSHA256, asked.reportSHA256, asked.comparedSHA256) = (model, report, compared)
        (asked.origin, asked.licence, asked.reason) = (origin, licence, "finds hair cracks")
        return try await send(.POST, RecipeWire.manageModels, [UInt8](try JSONEncoder().encode(asked)))
    }
}

@Suite struct ForeignModelTests {
    private func inFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "foreign-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    @Test("ML-02: a model trained elsewhere goes on record by its hash, with origin, licence and how it compares")
    func record() async throws {
        try await inFolder { folder in
            try await DecisionBench.run { bench in
                let model = try await bench.keep(Array("an ONNX network".utf8))
                let (old, shared) = (String(repeating: "e", count: 64), String(repeating: "f", count: 64))
                let levels: [UInt8] = [10, 20, 30, 120, 130]
                let new = try await bench.keep(try report(models: [shared, model], levels: levels, folder: folder))
                let active = try await bench.keep(try report(models: [shared, old], levels: levels, folder: folder))
                let answer = try await bench.submit(model: model, report: new, compared: active, request: "a")
                #expect(answer.status == 200, "\(answer.text)")
                guard case .modelTrained(let event)? = try await bench.decisions().first?.events.first?.kind else {
                    Issue.record("nothing on record")
                    return
                }
                #expect(event.modelSha256 == model && event.tool == "neural" && event.reportSha256 == new)
                #expect(event.origin == "Acme Vision, order 4711" && event.licence == "Apache-2.0")
                #expect(event.pictures == 0 && event.trainingSetSha256.isEmpty && !event.testSetSha256.isEmpty)
                #expect((event.figures.good, event.figures.bad, event.figures.escapes) == (3, 2, 0))
                #expect(event.activeSha256 == old && event.activeFigures.bad == 2 && !event.figures.hasAuroc)
                let review = try await bench.ask("/\(model)/review", "ben") {
                    $0.reportSHA256 = new
                    $0.review = .init(fromUs: 1, toUs: 2, conclusion: "keep")
                }
                #expect(review.status == 200, "\(review.text)")
            }
        }
    }

    @Test("ML-02, I9: what a foreign model lacks is refused, with what is expected")
    func refuses() async throws {
        try await inFolder { folder in
            try await DecisionBench.run { bench in
                let model = try await bench.keep(Array("an ONNX network".utf8))
                let levels: [UInt8] = [10, 20, 120]
                func keep(_ models: [String], _ levels: [UInt8], unreadable: Bool = false) async throws -> String {
                    let name = "\(folder)/\(levels.count)-\(unreadable)"
                    return try await bench.keep(
                        try report(models: models, levels: levels, folder: name, unreadable: unreadable)
                    )
                }
                let good = try await keep([model], levels)
                let others = try await keep([String(repeating: "e", count: 64)], levels)
                let onOther = try await keep([String(repeating: "e", count: 64)], levels + [130])
                let unreadable = try await keep([model], levels, unreadable: true)
                let refused: [(Answer, Int, String)] = [
                    (try await bench.submit(model: model, report: others, request: "a"), 400, "did not judge there"),
                    (try await bench.submit(model: model, report: unreadable, request: "b"), 400, "not be judged"),
                    (
                        try await bench.submit(model: model, report: good, compared: onOther, request: "c"), 400,
                        "the same ones"
                    ),
                    (
                        try await bench.submit(model: model, report: good, compared: good, request: "d"), 400,
                        "expected one, the active model"
                    ), (try await bench.submit(model: model, report: good, licence: "", request: "e"), 409, "licence"),
                    (
                        try await bench.submit(model: model, report: good, origin: "", request: "f"), 400,
                        "a model trained"
                    ),
                ]
                for (answer, status, text) in refused {
                    #expect(answer.status == status)
                    #expect(try answer.error().contains(text), "\(answer.text)")
                }
                #expect(try await bench.decisions().isEmpty)
            }
        }
    }
}
