import SeededRandom

/// What can go wrong in the simulated plant. Each seed has a subset of its own (swarm testing: Groce et al., ISSTA 2012).
package enum Fault: String, CaseIterable, Sendable, Codable {
    /// A process dies between two of its steps: before an append, after it, within a call.
    case crash
    /// A process stops for a while, another takes its partition over, and it wakes up.
    case zombie
    /// A partition's owner ends in good order and another host goes on.
    case move
    /// Two instances start for one partition at once.
    case duel
    /// An append lands, wholly or in part, and is reported as failed.
    case lostAcknowledgement
    /// An append that was reported as failed lands later.
    case lateLanding
    case logDown
    case logFull
    case readFailure
    /// A record is changed on disk after it was acknowledged.
    case damage
    case snapshotLost
    case snapshotOld
    /// A reader gets again what it had.
    case redelivery
    case peerDown
    /// A request or its answer takes longer than the caller waits.
    case peerSlow
    /// The peer did it, and the answer is lost.
    case peerLies
    case peerRefuses
    /// The peer does not recognise repeats: it can only be asked, and knows late.
    case peerForgetful
    /// The peer sends messages again that it sent before.
    case peerRepeats
    case frameLost
    case frameRepeated
    case frameLate
    case pixelsGone
    case evidenceLost
    /// The picture is judged by a recipe that is no longer in force.
    case staleJudge
    case recipeMissing
    case clockSkew
    case clockStep
    /// Bytes that are no record.
    case poison
    /// A newer build's record of a kind that nobody here knows.
    case unknownKind
    case operatorMistake
    /// A camera is gone for a while; parts go on passing.
    case cameraLost
    /// People submit, approve, release and retire recipes while the line runs.
    case recipeChanged

    /// Those that are drawn by themselves, so that seeds without them, all that were pinned before among them, keep their course.
    static let drawnApart: Set<Fault> = [.cameraLost, .recipeChanged]
    static let apartSalt: UInt64 = 103
}

/// The faults of one seed and how often each struck.
struct FaultPlan {
    let enabled: Set<Fault>
    var struck = [Int](repeating: 0, count: Fault.allCases.count)
    var isOver = false

    init(seed: UInt64, _ random: inout SplitMix64) {
        var enabled: Set<Fault> = []
        // Few seeds have none or all; the others have some, so that one fault does not hide behind another.
        let share = random.pick([0, 2, 3, 3, 4, 4, 5, 6, 8, 10])
        for fault in Fault.allCases where !Fault.drawnApart.contains(fault) && random.below(10) < share {
            enabled.insert(fault)
        }
        for fault in Fault.drawnApart
        where SplitMix64.hash(fault.rawValue, seed &+ Fault.apartSalt).isMultiple(of: 3) { enabled.insert(fault) }
        // Damage takes information away for good, so it comes alone with what does not: its checks are others.
        if !random.once(in: 8) { enabled.remove(.damage) }
        self.enabled = enabled
    }

    func has(_ fault: Fault) -> Bool { enabled.contains(fault) }

    /// Whether `fault` strikes now, which it does once in `count` times.
    mutating func strikes(_ fault: Fault, in count: Int, _ random: inout SplitMix64) -> Bool {
        guard !isOver, enabled.contains(fault), random.once(in: count) else { return false }
        note(fault)
        return true
    }

    mutating func note(_ fault: Fault) {
        if let index = Fault.allCases.firstIndex(of: fault) { struck[index] += 1 }
    }
}
