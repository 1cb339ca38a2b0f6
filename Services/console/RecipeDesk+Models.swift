import Foundation
import PlantCore
import PlantEvents
package import ServiceRuntime
import SwiftProtobuf
import Vision

// Models on record (ML-02): those learned here, and those trained elsewhere.
extension RecipeDesk {
    /// Puts a trained model on record.
    package func train(_ asked: RecipeWire.Request) async throws -> RecipeWire.Reply {
        let event = asked.origin.isEmpty ? try learned(asked) : try trainedElsewhere(asked)
        return try await decide(.train(event), asked, asked.modelSHA256)
    }

    /// What a model was learned from stands in its own file, its figures in the report.
    private func learned(_ asked: RecipeWire.Request) throws -> ModelTrained {
        let sha256 = asked.modelSHA256
        let model: LearnedModel
        do {
            let bytes = try content(sha256, "model", atMost: LearnedTool.maxFileBytes)
            model = try LearnedModel.decode(bytes, name: "model \(sha256)")
        } catch let error as LearnError {
            throw Refusal(
                400,
                "\(error); expected what lineledger train writes, or origin and licence of a model trained elsewhere"
            )
        }
        let report = try trainingReport(asked.reportSHA256)
        guard report.modelSHA256 == sha256, report.setSHA256 == model.setSHA256 else {
            throw Refusal(400, "the training report is of model \(report.modelSHA256); expected \(sha256)")
        }
        return .with {
            $0.modelSha256 = sha256
            $0.trainingSetSha256 = model.setSHA256
            $0.pictures = UInt64(model.sources.count)
            $0.strata = report.strata
            $0.reportSha256 = asked.reportSHA256
            $0.tool = model.kind.rawValue
            $0.backboneSha256 = model.backboneSHA256 ?? ""
            $0.licence = asked.licence
            guard let judged = report.judged else { return }
            $0.testSetSha256 = judged.setSHA256
            $0.figures = Self.figures(judged.new.escapes, judged.new.overkill, auroc: judged.new.auroc)
            guard let active = judged.active else { return }
            $0.activeSha256 = judged.activeSHA256 ?? ""
            $0.activeFigures = Self.figures(active.escapes, active.overkill, auroc: active.auroc)
        }
    }

    /// A network that a recipe's tool `neural` runs: its figures are those of a recipe's test that it judged in.
    private func trainedElsewhere(_ asked: RecipeWire.Request) throws -> ModelTrained {
        let sha256 = asked.modelSHA256
        let bytes = try content(sha256, "model", atMost: Recipe.namedFileLimit)
        guard !LearnedModel.isModel(bytes) else {
            throw Refusal(400, "model \(sha256): was learned by lineledger train; expected no origin for it")
        }
        let report = try tested(by: sha256, asked.reportSHA256)
        let active = asked.comparedSHA256.isEmpty ? nil : try compared(with: report, asked.comparedSHA256)
        return .with {
            $0.modelSha256 = sha256
            $0.reportSha256 = asked.reportSHA256
            $0.tool = NeuralSettings.key
            $0.origin = asked.origin
            $0.licence = asked.licence
            $0.testSetSha256 = report.setSHA256
            $0.figures = Self.figures(report.escapes, report.overkill)
            guard let active else { return }
            $0.activeSha256 = active.model
            $0.activeFigures = Self.figures(active.report.escapes, active.report.overkill)
        }
    }

    /// The report of a recipe's test in which the model judged every picture.
    private func tested(by sha256: String, _ reportSHA256: String) throws -> RecipeTestReport {
        let report = try testReport(reportSHA256)
        guard report.modelSHA256.contains(sha256) else {
            throw Refusal(
                400,
                "test report \(reportSHA256) of recipe \(report.recipe) \(report.revision): model \(sha256) did not judge "
                    + "there; expected the test of a recipe that names it"
            )
        }
        guard report.unjudged == 0 else {
            throw Refusal(
                400,
                "test report \(reportSHA256): \(report.unjudged) pictures could not be judged; expected none: mend the recipe "
                    + "or the pictures, and test again"
            )
        }
        return report
    }

    /// The test of the active recipe on the same pictures, and the one model of it that the new recipe does not name.
    private func compared(
        with report: RecipeTestReport,
        _ reportSHA256: String
    ) throws -> (model: String, report: RecipeTestReport) {
        let active = try testReport(reportSHA256)
        guard active.setSHA256 == report.setSHA256 else {
            throw Refusal(
                400,
                "the test to compare with is on pictures \(active.setSHA256); expected the same ones, \(report.setSHA256)"
            )
        }
        let models = Set(active.modelSHA256).subtracting(report.modelSHA256)
        guard let model = models.first, models.count == 1 else {
            throw Refusal(
                400,
                "the recipe to compare with, \(active.recipe) \(active.revision), has \(models.count) models or templates that "
                    + "the new one does not name; expected one, the active model"
            )
        }
        return (model, active)
    }

    private func trainingReport(_ sha256: String) throws -> TrainingReport {
        let bytes = try content(sha256, "training report", atMost: Self.reportLimit)
        do {
            return try JSONDecoder().decode(TrainingReport.self, from: Data(bytes))
        } catch {
            throw Refusal(400, "training report \(sha256): \(error); expected what lineledger train --report writes")
        }
    }

    private static func figures(
        _ escapes: RecipeTestReport.Share,
        _ overkill: RecipeTestReport.Share,
        auroc: Double? = nil
    ) -> ModelFigures {
        .with {
            $0.good = UInt32(clamping: overkill.trials)
            $0.bad = UInt32(clamping: escapes.trials)
            $0.escapes = UInt32(clamping: escapes.events)
            $0.overkills = UInt32(clamping: overkill.events)
            if let auroc { $0.auroc = auroc }
        }
    }
}
