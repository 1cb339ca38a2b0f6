package import Evidence
import Foundation
package import PlantCore
import PlantEvents
package import ServiceRuntime
import SwiftProtobuf
import Vision

/// Carries out what people ask about recipes: looks at the content that a request names, and has the core decide.
package struct RecipeDesk: Sendable {
    /// Why a request is not carried out, with the HTTP status that says so.
    package struct Refusal: Error, CustomStringConvertible {
        package let status: Int
        package let description: String

        package init(_ status: Int, _ description: String) {
            self.status = status
            self.description = description
        }
    }

    /// Longest test report, bytes.
    static let reportLimit = 16 << 20

    private let host: DeciderHost<DecisionCore>
    package let store: ContentStore

    package init(host: DeciderHost<DecisionCore>, store: ContentStore) {
        self.host = host
        self.store = store
    }

    package func listing() async -> RecipeWire.Listing {
        let recipes = await host.core.state.recipes
        let rows = recipes.sorted { ($1.value.changedAtUs, $0.key) < ($0.value.changedAtUs, $1.key) }
            .map { RecipeWire.Row(sha256: $0.key, $0.value) }
        return RecipeWire.Listing(recipes: rows)
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

    private func decide(
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
        let input = DecisionCore.Input(act: act, decision: decision)
        let isDecided = try await host.submit(input) != nil
        let core = await host.core
        if !isDecided {
            switch core.outcome(of: input) {
            case .repeated: break
            case .refused(let refusal): throw Refusal(409, refusal.description)
            case .follows: throw Refusal(503, "the recipe changed while this was decided; look again")
            }
        }
        try await host.durable()
        let row = core.state.recipes[sha256].map { RecipeWire.Row(sha256: sha256, $0) }
        return RecipeWire.Reply(isRepeated: !isDecided, recipe: row)
    }

    // MARK: Content

    private func content(_ sha256: String, _ what: String, atMost limit: Int) throws -> [UInt8] {
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

    private func tested(_ sha256: String, _ reportSHA256: String) throws -> RecipeTested {
        let bytes = try content(reportSHA256, "test report", atMost: Self.reportLimit)
        let report: RecipeTestReport
        do {
            report = try JSONDecoder().decode(RecipeTestReport.self, from: Data(bytes))
        } catch {
            throw Refusal(400, "test report \(reportSHA256): \(error); expected what lineledger recipe test writes")
        }
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
        _ = try content(asked.reportSHA256, "review report", atMost: Self.reportLimit)
        return .with {
            $0.subjectSha256 = sha256
            $0.fromUs = review.fromUs
            $0.toUs = review.toUs
            $0.conclusion = review.conclusion
            $0.reportSha256 = asked.reportSHA256
        }
    }
}
