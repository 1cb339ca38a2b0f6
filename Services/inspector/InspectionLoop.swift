import EventLog
import Logging
import Metrics
import PlantCore
import PlantEvents
import ServiceLifecycle
import ServiceRuntime
import SwiftProtobuf
import Vision

/// Takes production contexts and frames in, judges, and submits each verdict.
actor InspectionLoop: Service {
    private static let batchLimit = 16

    private let context: ServiceContext
    private let host: DeciderHost<InspectionCore>
    private let intake: Intake
    private let shelf: RecipeShelf
    private let pixels: PixelSource
    private let stations: [String]
    private let work = WorkThread("judge")
    private var judges: [String: Judge] = [:]
    private let verdictTime: Metrics.Timer

    init(
        _ context: ServiceContext,
        host: DeciderHost<InspectionCore>,
        intake: Intake,
        shelf: RecipeShelf,
        pixels: PixelSource,
        stations: [String]
    ) {
        self.context = context
        self.host = host
        self.intake = intake
        self.shelf = shelf
        self.pixels = pixels
        self.stations = stations
        verdictTime = Metrics.Timer(label: "lineledger_trigger_to_verdict_seconds")
    }

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.inspectForever() }
    }

    private func inspectForever() async throws {
        for station in stations { try await loadWanted(station) }
        while !Task.isCancelled {
            let batch: Intake.Batch
            do {
                batch = try await intake.next(max: Self.batchLimit, wait: .seconds(1))
            } catch is CancellationError {
                return
            }
            var judged: [TriggerId] = []
            for incoming in batch.records {
                switch incoming.record {
                case .production(let record): try await adopt(record, askedBy: incoming.askedBy)
                case .frames(let record): judged += try await inspect(record, askedBy: incoming.askedBy)
                case .decisions(let record): try await adopt(record, askedBy: incoming.askedBy)
                case .inspections, .materials, .deliveries, .alarms, .parked: break
                }
            }
            if !judged.isEmpty { try await host.durable() }
            for trigger in judged { try pixels.release(through: trigger) }
            await host.handled(upTo: batch.positions)
        }
    }

    private func adopt(_ record: ProductionRecord, askedBy: String?) async throws {
        let cause = record.meta.origin
        guard try await host.submit(.production(record), cause: cause, askedBy: askedBy) != nil else { return }
        for station in stations { try await loadWanted(station) }
    }

    /// A release or retirement counts from the next part on.
    private func adopt(_ record: DecisionRecord, askedBy: String?) async throws {
        let cause = record.meta.origin
        guard try await host.submit(.decisions(record), cause: cause, askedBy: askedBy) != nil else { return }
        for station in stations { try await loadWanted(station) }
    }

    /// Loads the recipe that the station's context asks for, where it is not the active one.
    private func loadWanted(_ station: String) async throws {
        let core = await host.core
        if let refused = core.refusal(of: station) { return try await refuse(refused) }
        guard let wish = core.wantedRecipe(of: station) ?? missingJudge(core, station) else { return }
        switch try await work.run({ [shelf] in shelf.load(wish, station: station) }) {
        case .ready(_, let activated) where core.isRetired(activated.recipeSha256):
            try await refuse(
                .with {
                    $0.station = station
                    $0.recipeID = wish.recipeID
                    $0.recipeSha256 = wish.recipeSHA256
                    $0.reason =
                        "the plant file's \(activated.recipeID) has content \(activated.recipeSha256.prefix(12)), which was "
                        + "retired; release another recipe"
                }
            )
        case .ready(let judge, let activated):
            judges[station] = judge
            if core.activeRecipe(of: station) != activated { try await host.submit(.recipeLoaded(activated)) }
            context.logger.info(
                "recipe active",
                metadata: .of([
                    .station: "\(station)", .recipe: "\(activated.recipeID)", .sha256: "\(activated.recipeSha256)",
                ])
            )
        case .refused(let refused): try await refuse(refused)
        }
    }

    private func refuse(_ refused: RecipeRefused) async throws {
        judges[refused.station] = nil
        context.logger.error(
            "recipe refused",
            metadata: .of([.station: "\(refused.station)", .reason: "\(refused.reason)"])
        )
        try await host.submit(.recipeRefused(refused))
    }

    /// After a restart the active recipe is known, but its files are not loaded.
    private func missingJudge(_ core: InspectionCore, _ station: String) -> RecipeWish? {
        guard judges[station] == nil, let active = core.activeRecipe(of: station) else { return nil }
        return RecipeWish(recipeID: active.recipeID, recipeSHA256: active.recipeSha256)
    }

    private func inspect(_ record: FrameRecord, askedBy: String?) async throws -> [TriggerId] {
        var judged: [TriggerId] = []
        for event in record.events {
            switch event.kind {
            case .frameCaptured(let frame):
                judged.append(frame.trigger)
                // Handled before a restart: only its place in memory is still to be released.
                if await host.covers(record.meta.origin, askedBy: askedBy) { continue }
                let input = try await judge(frame, record.meta.origin)
                try await host.submit(input, cause: record.meta.origin, askedBy: askedBy)
                verdictTime.recordMicroseconds(max(0, context.nowUs() - frame.triggeredAtUs))
            case .frameMissed(let gap):
                try await host.submit(.frameMissed(gap), cause: record.meta.origin, askedBy: askedBy)
            case .sourceExhausted(let exhausted):
                try await host.submit(.exhausted(exhausted), cause: record.meta.origin, askedBy: askedBy)
            case .writerTookOver, .triggerSessionStarted, .evidenceStored, .evidenceNotStored, .evidenceExpired,
                .processImageStored, .cameraConfigured, .cameraLost, .cameraReturned, .pictureQualityDegraded,
                .pictureQualityRestored, .clockSkewEstimated, .frameRepeated, .frameUnmatched, nil:
                break
            }
        }
        return judged
    }

    private func judge(_ frame: FrameCaptured, _ origin: Origin) async throws -> InspectionCore.Input {
        let station = frame.trigger.station
        guard let judge = judges[station] else {
            return .unjudged(frame, reason: "station \(station) has no usable recipe for the order")
        }
        let expected = await host.core.context(of: station)?.expectedTexts ?? [:]
        return try await work.run { [pixels] in
            switch pixels.pixels(of: frame) {
            case .missing(let reason):
                return .unjudged(frame, reason: reason)
            case .picture(let picture):
                do {
                    let finding = try judge.judge(picture, sourceName: frame.sourceName, expected: expected)
                    return .judged(frame, frame: origin, finding.judgement(by: judge.recipe))
                } catch {
                    return .unjudged(frame, reason: "recipe \(judge.recipe.id): \(error)")
                }
            }
        }
    }
}
