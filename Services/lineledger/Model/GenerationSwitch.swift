import EventLog
import ReadModel
import ServiceRuntime

/// Makes another generation the active one, by the projector where one runs.
struct GenerationSwitch {
    /// The projector refused, or did not answer in time.
    struct NoAnswer: Error, CustomStringConvertible {
        let reason: String

        var description: String { "the projector did not switch: \(reason)" }
    }

    /// How long a generation may take to come up to the live one.
    private static let answerLimit = Duration.seconds(120)
    private static let lookEvery = Duration.milliseconds(50)

    private let generations: Generations
    private let log: any EventLog
    private let site: String

    init(_ generations: Generations, _ log: any EventLog, _ site: String) {
        self.generations = generations
        self.log = log
        self.site = site
    }

    /// Takes the rebuilt generation into use. Where the live one cannot even be read, the projector replaces it itself,
    /// so that whatever cannot be understood is parked by the one who parks.
    func take(_ outcome: ModelRebuild.Outcome) async throws -> String {
        guard let problem = outcome.liveProblem else {
            guard let made = outcome.generation else { return "nothing to switch to" }
            return try await make(made, .rebuild)
        }
        guard let damaged = outcome.liveGeneration else { return "not switched: the projector rebuilds it by itself" }
        let isRunning = try generations.lockWriter() == nil
        try generations.ask(.setAside(damaged, problem))
        guard isRunning else { return "no projector is running; it sets the model aside and rebuilds when it starts" }
        let made = try await answer { $0.map { $0.generation != damaged } ?? false }
        return "generation \(damaged) is set aside; generation \(made) is live"
    }

    func make(_ number: Int, _ reason: SwitchReason) async throws -> String {
        let switched = try await generations.switchOver(
            to: number,
            reason,
            log: log,
            site: site,
            nowUs: ServiceProgram.wallClock()
        )
        if case .done = switched { return "generation \(number) is live; no projector was running" }
        return "generation \(try await answer { $0?.generation == number }) is live"
    }

    /// Waits until the active generation is as wished; returns its number.
    private func answer(_ isDone: (ActiveGeneration?) -> Bool) async throws -> Int {
        let deadline = ContinuousClock.now + Self.answerLimit
        while ContinuousClock.now < deadline {
            if let active = try generations.active(), isDone(active) { return active.generation }
            if !generations.isAsked, let refusal = try generations.refusal() { throw NoAnswer(reason: refusal) }
            try await Task.sleep(for: Self.lookEvery)
        }
        try generations.clearRequest()
        throw NoAnswer(
            reason: "no answer within \(Self.answerLimit), the request is taken back; see its log and GET /v1/model"
        )
    }
}
