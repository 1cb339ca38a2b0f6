import PlantCore
import PlantEvents
import SwiftProtobuf
import Vision

extension Finding {
    /// What the tools said, as the inspector's core takes it.
    func judgement(by recipe: Recipe) -> InspectionCore.Judgement {
        let words: Verdict =
            switch verdict {
            case .pass: .pass
            case .fail: .fail
            case .uncertain: .uncertain
            }
        return InspectionCore.Judgement(
            verdict: words,
            score: score,
            confidence: confidence,
            defects: defects.map(\.event),
            features: features.map(\.event),
            rejectionReason: rejectionReason,
            timings: timings.map { timing in
                .with {
                    $0.tool = timing.tool
                    $0.durationUs = UInt32(clamping: timing.microseconds)
                }
            },
            scores: scores.map { Float($0.score) },
            recipeSHA256: recipe.sha256
        )
    }
}

extension PartDefect {
    fileprivate var event: Defect {
        .with {
            $0.category = found.category.rawValue
            $0.x = Float(found.x)
            $0.y = Float(found.y)
            $0.width = Float(found.width)
            $0.height = Float(found.height)
            $0.area = Float(found.area)
            $0.score = Float(found.score)
            $0.tool = tool
            $0.severity = severity.rawValue
        }
    }
}

extension PartFeature {
    fileprivate var event: MeasuredFeature {
        .with {
            $0.name = feature.name
            $0.task =
                switch task {
                case .inspect: .inspect
                case .count: .count
                case .read: .read
                case .detect: .detect
                case .verify: .verify
                }
            $0.value = feature.value
            $0.unit = feature.unit
            $0.text = feature.text
            if let lower = feature.lowerLimit { $0.lowerLimit = lower }
            if let upper = feature.upperLimit { $0.upperLimit = upper }
            $0.conforms = feature.conforms
        }
    }
}

extension ProductionContext {
    /// What codes and prints on a part are compared with, by the words that recipes use.
    var expectedTexts: [String: String] {
        let texts = [
            "order": orderID, "product": sku, "batch": batchID, "variant": variant, "customer_order": customerOrder,
            "lot": materialLots.count == 1 ? materialLots[0] : "",
        ]
        return texts.filter { !$0.value.isEmpty }
    }
}
