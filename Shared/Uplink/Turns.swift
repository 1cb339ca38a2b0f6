/// Shares out the right to send large batches: a few partitions at a time, the one with the smallest backlog first,
/// none passed over more often than `patience`.
///
/// Partitions that have caught up send without a turn, so a backlog never stands before a new record. Those whose last try
/// failed have turns of their own, so a partition whose broker hangs keeps no other from draining.
package struct Turns: Sendable {
    package enum Kind: Hashable, Sendable, CaseIterable {
        case draining
        /// The last try failed.
        case doubtful
    }

    private struct Waiting {
        let id: Int
        let backlog: Int64
        var passed = 0
    }

    /// Turns of each kind at a time.
    private let limit: Int
    private let patience: Int
    private var waiting: [Kind: [Waiting]] = [:]
    private var running: [Int: Kind] = [:]

    package init(limit: Int = 2, patience: Int = 8) {
        self.limit = limit
        self.patience = patience
    }

    /// Whose turn it is at this moment.
    package var active: Set<Int> { Set(running.keys) }

    /// Asks for a turn; `granted` tells whose it is now.
    package mutating func ask(_ id: Int, _ kind: Kind, backlog: Int64) {
        precondition(running[id] == nil, "one turn at a time for \(id)")
        waiting[kind, default: []].append(Waiting(id: id, backlog: backlog))
    }

    /// Gives a turn back, or the wish for one.
    package mutating func end(_ id: Int) {
        running[id] = nil
        for kind in Kind.allCases { waiting[kind]?.removeAll { $0.id == id } }
    }

    /// The next one to get a turn; nil when none is free or none is asked for.
    package mutating func granted() -> Int? {
        for kind in Kind.allCases where running.values.count(where: { $0 == kind }) < limit {
            guard let index = choice(among: waiting[kind] ?? []) else { continue }
            guard let chosen = waiting[kind]?.remove(at: index) else { continue }
            for other in 0..<index { waiting[kind]?[other].passed += 1 }
            running[chosen.id] = kind
            return chosen.id
        }
        return nil
    }

    private func choice(among waiting: [Waiting]) -> Int? {
        // In the order of asking: the first that was passed over too often is the oldest of them.
        waiting.firstIndex { $0.passed >= patience }
            ?? waiting.indices.min { (waiting[$0].backlog, $0) < (waiting[$1].backlog, $1) }
    }
}

/// Hands out turns to tasks. A turn whose append does not come back ends after `longest`: others go on beside it.
actor TurnKeeper {
    private var turns: Turns
    private let longest: Duration
    private var askers: [Int: CheckedContinuation<Void, Never>] = [:]
    private var timers: [Int: Task<Void, Never>] = [:]

    init(_ turns: Turns, longest: Duration) {
        self.turns = turns
        self.longest = longest
    }

    /// Waits for a turn; it is given back with `end`, also where the task was cancelled meanwhile.
    func take(_ id: Int, _ kind: Turns.Kind, backlog: Int64) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume() }
                askers[id] = continuation
                turns.ask(id, kind, backlog: backlog)
                grant()
            }
        } onCancel: {
            Task { await self.end(id) }
        }
    }

    func end(_ id: Int) {
        timers.removeValue(forKey: id)?.cancel()
        turns.end(id)
        askers.removeValue(forKey: id)?.resume()
        grant()
    }

    private func grant() {
        let longest = longest
        while let id = turns.granted() {
            timers[id] = Task {
                // Cancelled, the turn has ended already.
                guard (try? await Task.sleep(for: longest)) != nil else { return }
                self.end(id)
            }
            askers.removeValue(forKey: id)?.resume()
        }
    }
}
