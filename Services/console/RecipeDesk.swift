package import Evidence
import Foundation
package import PlantCore
import PlantEvents
package import ServiceRuntime
import SwiftProtobuf
import Vision

/// Carries out what people ask about recipes and models: looks at the content that a request names, and has the core decide.
package struct RecipeDesk: Sendable {
    package typealias Refusal = DecisionRefusal

    /// Longest test report, bytes.
    static let reportLimit = 16 << 20

    private let host: DeciderHost<DecisionCore>
    package let store: ContentStore
    /// Time between two reviews of an active recipe, microseconds.
    private let reviewEveryUs: Int64
    private let nowUs: @Sendable () -> Int64

    package init(host: DeciderHost<DecisionCore>, store: ContentStore, context: ServiceContext) {
        self.host = host
        self.store = store
        reviewEveryUs = Int64(context.plant.recipes.reviewDays) * 86_400_000_000
        nowUs = context.nowUs
    }

    package func listing() async -> RecipeWire.Listing {
        let state = await host.core.state
        let recipes = state.recipes.sorted { ($1.value.changedAtUs, $0.key) < ($0.value.changedAtUs, $1.key) }
        let models = state.models.sorted { ($1.value.trainedAtUs, $0.key) < ($0.value.trainedAtUs, $1.key) }
        return RecipeWire.Listing(
            recipes: recipes.map { row($0.key, $0.value, state) },
            models: models.map { Self.row($0.key, $0.value, state) }
        )
    }

    private func row(_ sha256: String, _ life: RecipeLife, _ state: DecisionCore.State) -> RecipeWire.Row {
        RecipeWire.Row(
            sha256: sha256,
            life,
            models: life.files.filter { state.models[$0] != nil },
            reviewDueUs: life.reviewDueUs(everyUs: reviewEveryUs),
            nowUs: nowUs()
        )
    }

    private static func row(_ sha256: String, _ life: ModelLife, _ state: DecisionCore.State) -> RecipeWire.ModelRow {
        let naming = state.recipes.filter { $0.value.files.contains(sha256) }
        return RecipeWire.ModelRow(sha256: sha256, life, recipes: naming.keys.sorted())
    }

    package func submit(_ asked: RecipeWire.Request) async throws -> RecipeWire.Reply {
        let recipe = try recipe(asked.recipeSHA256)
        let files = try named(by: recipe)
        let active = await host.core.state.recipes.first {
            $0.value.stage == .active && $0.value.recipeID == recipe.id && $0.value.station == recipe.station
        }
        return try await decide(
            .submit(
                .with {
                    $0.recipeID = recipe.id
                    $0.recipeSha256 = recipe.sha256
                    $0.station = recipe.station
                    $0.revision = recipe.revision
                    $0.controlPlanRevision = recipe.controlPlan
                    $0.skus = asked.skus.isEmpty ? [recipe.product] : asked.skus
                    $0.fileSha256 = files
                    $0.changes = try changes(from: active?.key, to: recipe.sha256)
                }
            ),
            asked,
            recipe.sha256
        )
    }

    package func act(
        _ verb: RecipeWire.Verb,
        on sha256: String,
        _ asked: RecipeWire.Request
    ) async throws -> RecipeWire.Reply {
        switch verb {
        case .test: try await decide(.test(try tested(sha256, asked.reportSHA256)), asked, sha256)
        case .approve:
            try await decide(
                .approve(
                    .with {
                        $0.recipeSha256 = sha256
                        $0.reportSha256 = asked.reportSHA256
                    }
                ),
                asked,
                sha256
            )
        case .sendBack: try await decide(.sendBack(.with { $0.recipeSha256 = sha256 }), asked, sha256)
        case .release:
            try await decide(
                .release(
                    .with {
                        $0.recipeSha256 = sha256
                        $0.skus = asked.skus
                    }
                ),
                asked,
                sha256
            )
        case .retire: try await decide(.retire(.with { $0.recipeSha256 = sha256 }), asked, sha256)
        case .review: try await decide(.review(try reviewed(sha256, asked)), asked, sha256)
        }
    }

    func decide(
        _ decision: DecisionCore.Decision,
        _ asked: RecipeWire.Request,
        _ sha256: String
    ) async throws -> RecipeWire.Reply {
        let act = HumanAct.with {
            $0.personID = asked.person
            $0.requestID = asked.requestID
            $0.reason = asked.reason
            $0.authentication = .systemUser
            $0.systemUser = asked.systemUser
        }
        let (isRepeated, core) = try await host.take(decision, by: act)
        return RecipeWire.Reply(
            isRepeated: isRepeated,
            recipe: core.state.recipes[sha256].map { row(sha256, $0, core.state) },
            model: core.state.models[sha256].map { Self.row(sha256, $0, core.state) }
        )
    }

    // MARK: Content

    func content(_ sha256: String, _ what: String, atMost limit: Int) throws -> [UInt8] {
        do {
            guard let bytes = try store.read(sha256, atMost: limit) else {
                throw Refusal(400, "\(what) \(sha256): its content was not sent")
            }
            return bytes
        } catch let error as ContentError {
            throw Refusal(400, "\(what): \(error)")
        }
    }

    private func text(_ sha256: String) throws -> String {
        let bytes = try content(sha256, "recipe", atMost: Recipe.maxBytes)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Refusal(400, "recipe \(sha256): bytes that are not UTF-8; expected YAML in UTF-8")
        }
        return text
    }

    private func recipe(_ sha256: String) throws -> Recipe {
        do {
            return try Recipe.parse(text: try text(sha256), file: "recipe")
        } catch let mistakes as RecipeError {
            throw Refusal(400, "\(mistakes)")
        }
    }

    /// The hashes of all files that the recipe names: its content hash is to fix all that judges.
    private func named(by recipe: Recipe) throws -> [String] {
        var hashes: [String] = []
        for named in recipe.files {
            guard let sha256 = named.file.sha256 else {
                throw Refusal(
                    400,
                    "recipe:\(named.line): \(named.key): found \(named.file.name) without its hash; expected "
                        + "{file: \(named.file.name), sha256: …}: what is approved names all its content"
                )
            }
            guard try store.contains(sha256) else {
                throw Refusal(400, "recipe:\(named.line): \(named.key): the content of \(named.file.name) was not sent")
            }
            if !hashes.contains(sha256) { hashes.append(sha256) }
        }
        return hashes
    }

    private func changes(from old: String?, to new: String) throws -> [String] {
        guard let old, try store.contains(old) else { return [] }
        return try RecipeDiff.between(try text(old), try text(new)).map(\.description)
    }

    func testReport(_ reportSHA256: String) throws -> RecipeTestReport {
        let bytes = try content(reportSHA256, "test report", atMost: Self.reportLimit)
        do {
            return try JSONDecoder().decode(RecipeTestReport.self, from: Data(bytes))
        } catch {
            throw Refusal(400, "test report \(reportSHA256): \(error); expected what lineledger recipe test writes")
        }
    }

    private func tested(_ sha256: String, _ reportSHA256: String) throws -> RecipeTested {
        let report = try testReport(reportSHA256)
        guard report.recipeSHA256 == sha256 else {
            throw Refusal(400, "the test report is of recipe \(report.recipeSHA256); expected \(sha256)")
        }
        return .with {
            $0.recipeSha256 = sha256
            $0.setSha256 = report.setSHA256
            $0.pictures = UInt32(clamping: report.pictures)
            $0.escapes = UInt32(clamping: report.escapes.events)
            $0.overkills = UInt32(clamping: report.overkill.events)
            $0.reportSha256 = reportSHA256
            $0.challengePieces = UInt32(clamping: report.challenges.count)
            $0.challengesMissed = UInt32(clamping: report.challenges.count { !$0.isFound })
        }
    }

    private func reviewed(_ sha256: String, _ asked: RecipeWire.Request) throws -> PerformanceReviewed {
        guard let review = asked.review else {
            throw Refusal(400, "review: found nothing; expected period and conclusion")
        }
        let bytes = try content(asked.reportSHA256, "review report", atMost: Self.reportLimit)
        // Any file may be what a conclusion rests on; one of ours must be of what is reviewed.
        if let report = try? JSONDecoder().decode(ReviewReport.self, from: Data(bytes)) {
            guard report.subjectSHA256 == sha256 else {
                throw Refusal(400, "the review report is of \(report.subjectSHA256); expected \(sha256)")
            }
        }
        return .with {
            $0.subjectSha256 = sha256
            $0.fromUs = review.fromUs
            $0.toUs = review.toUs
            $0.conclusion = review.conclusion
            $0.reportSha256 = asked.reportSHA256
        }
    }
}
