import PlantEvents

/// Calls between the bridges and their peers: each arrives late or soon, and its answer may be lost.
struct SimNetwork {
    private struct Request {
        let id: Int
        let intent: DeliveryIntended
        let isMes: Bool
        let isLookUp: Bool
        let sender: String
        let arrivesAtUs: Int64
    }

    /// No call is under way for longer.
    static let longestUs: Int64 = 2_500_000
    /// After this long a peer that does not recognise repeats knows of everything that can still reach it.
    static let settlingUs = longestUs + SimPeer.visibilityDelayUs + 500_000

    private var requests: [Request] = []
    private var answers: [Int: (answer: SimPeer.Answer, atUs: Int64)] = [:]
    private var abandoned: Set<Int> = []
    private var nextID = 0

    var isEmpty: Bool { requests.isEmpty }

    mutating func send(
        _ intent: DeliveryIntended,
        isMes: Bool,
        isLookUp: Bool,
        from sender: String,
        _ world: World
    ) -> Int {
        nextID += 1
        let isSlow = world.strikes(.peerSlow, in: 4)
        let delayUs = isSlow ? world.random.below(us: Self.longestUs) : world.random.below(us: 60_000)
        requests.append(
            Request(
                id: nextID,
                intent: intent,
                isMes: isMes,
                isLookUp: isLookUp,
                sender: sender,
                arrivesAtUs: world.elapsedUs + delayUs
            )
        )
        return nextID
    }

    /// Nobody waits for the answer any more.
    mutating func abandon(_ request: Int) {
        abandoned.insert(request)
    }

    mutating func answer(to request: Int, nowUs: Int64) -> SimPeer.Answer? {
        guard let (answer, atUs) = answers[request], atUs <= nowUs else { return nil }
        answers[request] = nil
        return answer
    }

    /// Lets what is due arrive.
    mutating func pass(_ world: World) throws {
        while let index = requests.indices.filter({ requests[$0].arrivesAtUs <= world.elapsedUs })
            .min(by: { requests[$0].arrivesAtUs < requests[$1].arrivesAtUs })
        {
            let request = requests.remove(at: index)
            let answer: SimPeer.Answer
            if request.isLookUp {
                answer = world.peer(request.isMes).lookUp(request.intent.intentID, nowUs: world.elapsedUs)
            } else {
                answer = try world.carryOut(
                    request.intent,
                    isMes: request.isMes,
                    isStray: abandoned.contains(request.id) || !world.isServing(request.sender)
                )
            }
            let isLost = world.strikes(.peerLies, in: 5)
            let isSlow = !isLost && world.strikes(.peerSlow, in: 12)
            guard !isLost else { continue }
            answers[request.id] = (answer, world.elapsedUs + (isSlow ? Self.longestUs : world.random.below(us: 30_000)))
        }
    }
}

extension World {
    func peer(_ isMes: Bool) -> SimPeer { isMes ? mes : erp }

    /// An intent reaches its peer: it must be in the log by now, and nobody may be replaying.
    func carryOut(_ intent: DeliveryIntended, isMes: Bool, isStray: Bool) throws -> SimPeer.Answer {
        try require(
            !isReplaying,
            .replayIsQuiet,
            intent.intentID,
            "\(intent.intentID) reached \(intent.peer) during a replay"
        )
        try checkIsIntended(intent, isMes: isMes, isStray: isStray)
        let refuses = strikes(.peerRefuses, in: 4)
        let before = peer(isMes).effects.count
        let answer: SimPeer.Answer
        if isMes {
            answer = mes.carryOut(intent, isStray: isStray, refuses: refuses, nowUs: elapsedUs)
        } else {
            answer = erp.carryOut(intent, isStray: isStray, refuses: refuses, nowUs: elapsedUs)
        }
        note(isMes ? "mes" : "erp", "is asked for \(intent.intentID): \(answer)")
        if peer(isMes).effects.count > before { note(isMes ? "mes" : "erp", "does \(intent.intentID)") }
        return answer
    }
}
