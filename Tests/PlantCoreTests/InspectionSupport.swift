import PlantCore
import PlantEvents
import SwiftProtobuf

/// `line-1` has two stations, `line-2` one.
let lines = ["vision-1": "line-1", "vision-2": "line-1", "vision-3": "line-2"]

func inspecting() -> Live<InspectionCore> { Live(InspectionCore(lines: lines)) }

func context(_ order: String, batch: String = "", recipe: String = "", sha256: String = "", shift: String = "")
    -> ProductionContext
{
    .with {
        $0.orderID = order
        $0.batchID = batch
        $0.recipeID = recipe
        $0.recipeSha256 = sha256
        $0.shift = shift
    }
}

func plan(categories: [String] = [], failures: UInt32 = 0, window: UInt32 = 0, rejectUncertain: Bool = false)
    -> ReactionPlan
{
    .with {
        $0.holdOnCategories = categories
        $0.holdAfterFailures = failures
        $0.holdWindow = window
        $0.rejectUncertain = rejectUncertain
    }
}

func activated(_ recipe: String, at station: String = "vision-1", plan: ReactionPlan = .init()) -> RecipeActivated {
    .with {
        $0.station = station
        $0.recipeID = recipe
        $0.recipeSha256 = "sha-\(recipe)"
        $0.reactionPlan = plan
        $0.controlPlanRevision = "plan of \(recipe)"
    }
}

func refused(_ wish: RecipeWish, at station: String = "vision-1") -> RecipeRefused {
    .with {
        $0.station = station
        $0.recipeID = wish.recipeID
        $0.recipeSha256 = wish.recipeSHA256
        $0.reason = "no such recipe"
    }
}

func judgement(_ verdict: Verdict, by recipe: String, categories: [String] = []) -> InspectionCore.Judgement {
    InspectionCore.Judgement(
        verdict: verdict,
        score: verdict == .pass ? 0.2 : 1.8,
        confidence: 0.8,
        defects: categories.map { category in .with { $0.category = category } },
        rejectionReason: verdict == .pass ? "" : "short at 212,90",
        timings: [
            .with {
                $0.tool = "align"
                $0.durationUs = 900
            }
        ],
        recipeSHA256: "sha-\(recipe)"
    )
}

func frame(_ trigger: TriggerId) -> FrameCaptured {
    .with {
        $0.trigger = trigger
        $0.triggeredAtUs = 1_000 * Int64(trigger.sequence)
        $0.pixelsSha256 = "pixels of \(trigger.text)"
        $0.sourceName = "board-\(trigger.sequence).png"
    }
}

extension Live<InspectionCore> {
    @discardableResult
    mutating func adopt(_ context: ProductionContext, line: String = "line-1") -> InspectionRecord? {
        submit(
            .production(
                foreign(
                    "context \(records.count)",
                    [
                        .contextChanged(
                            .with {
                                $0.line = line
                                $0.context = context
                            }
                        )
                    ],
                    line: line
                )
            )
        )
    }

    @discardableResult
    mutating func judge(
        _ sequence: UInt64,
        _ verdict: Verdict,
        by recipe: String,
        at station: String = "vision-1",
        categories: [String] = []
    ) -> InspectionRecord? {
        submit(
            .judged(
                frame(TriggerId(station, sequence)),
                frame: .with { $0.sequence = sequence },
                judgement(verdict, by: recipe, categories: categories)
            )
        )
    }
}

extension InspectionRecord {
    var parts: [PartInspected] { kinds.compactMap { if case .partInspected(let part) = $0 { part } else { nil } } }
    var gaps: [InspectionMissed] { kinds.compactMap { if case .inspectionMissed(let gap) = $0 { gap } else { nil } } }
    var holds: [HoldPlaced] { kinds.compactMap { if case .holdPlaced(let hold) = $0 { hold } else { nil } } }
    var unrejected: [RejectNotCommanded] {
        kinds.compactMap { if case .rejectNotCommanded(let part) = $0 { part } else { nil } }
    }
}
