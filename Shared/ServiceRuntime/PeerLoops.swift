import EventLog
import Logging
import Metrics
package import PlantCore
import PlantEvents
import ServiceLifecycle

/// Reads a peer's numbered messages and submits each to a core; what the core has taken on is never read again.
package struct AdoptionLoop<Kind: Sendable, C: Core>: Service {
    let context: ServiceContext
    let peer: any InboundPeer<Kind>
    let host: DeciderHost<C>
    let pollEvery: Duration
    /// Where to go on reading, from the core's state.
    let cursor: @Sendable (C) -> String
    let input: @Sendable (PeerMessage<Kind>) -> C.Input

    package init(
        _ context: ServiceContext,
        peer: any InboundPeer<Kind>,
        host: DeciderHost<C>,
        pollEvery: Duration,
        cursor: @escaping @Sendable (C) -> String,
        input: @escaping @Sendable (PeerMessage<Kind>) -> C.Input
    ) {
        self.context = context
        self.peer = peer
        self.host = host
        self.pollEvery = pollEvery
        self.cursor = cursor
        self.input = input
    }

    package func run() async throws {
        try await cancelWhenGracefulShutdown {
            do {
                try await adoptForever()
            } catch is CancellationError {
                return
            }
        }
    }

    private func adoptForever() async throws {
        var backoff = Backoff(first: pollEvery)
        var isReachable = true
        // Where a message ended that was taken on before: the core's own place stays behind it, for ever where an old
        // message came after newer ones.
        var passed: (from: String, to: String)?
        while !Task.isCancelled {
            do {
                let from = await cursor(host.core)
                if passed?.from != from { passed = nil }
                let messages = try await peer.messages(after: passed?.to ?? from, limit: 100)
                if !isReachable { context.logger.info("peer answers again") }
                isReachable = true
                backoff.reset()
                for message in messages {
                    let before = await cursor(host.core)
                    try await host.submit(input(message))
                    if await cursor(host.core) == before { passed = (before, message.cursor) }
                }
                if messages.isEmpty { try await Task.sleep(for: pollEvery) }
            } catch let failure as PeerFailure {
                // Stopping ends the question that is under way.
                guard !Task.isCancelled else { return }
                if isReachable { context.logger.warning("peer not read", metadata: ["reason": "\(failure)"]) }
                isReachable = false
                try await Task.sleep(for: backoff.next())
            }
        }
    }
}

/// Carries a delivery core's open intents out at the peer, one at a time for each business key, several keys at once.
///
/// An intent is carried out only when it is durable. After a restart, and after any doubt, the peer is asked before the
/// intent is sent again (I4).
package actor DeliveryLoop: Service {
    private let context: ServiceContext
    private let peer: any OutboundPeer
    private let host: DeciderHost<DeliveryCore>
    private var dispatch: DeliveryDispatch
    private let startedAt = ContinuousClock.now
    private let bell: Doorbell
    private let delivered: Counter
    private let failures: Counter

    package init(_ context: ServiceContext, peer: any OutboundPeer, host: DeciderHost<DeliveryCore>) async {
        self.context = context
        self.peer = peer
        self.host = host
        bell = host.changes
        dispatch = DeliveryDispatch(open: await host.core.openIntentIDs, nowUs: 0)
        delivered = Counter(label: "lineledger_deliveries_confirmed_total")
        failures = Counter(label: "lineledger_delivery_calls_failed_total")
    }

    package func run() async throws {
        try await cancelWhenGracefulShutdown {
            do {
                try await self.deliverForever()
            } catch is CancellationError {
                return
            }
        }
    }

    private func deliverForever() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let due = dispatch.start(await host.core)
                if due.isEmpty {
                    await bell.wait()
                    continue
                }
                try await host.durable()
                for intent in due { group.addTask { try await self.carryOut(intent) } }
            }
        }
    }

    private func carryOut(_ intent: DeliveryIntended) async throws {
        defer {
            dispatch.finish(intent.intentID)
            bell.ring()
        }
        let answer = try await attempt(intent)
        switch answer {
        case .carriedOut: delivered.increment()
        case .refused(let reason):
            failures.increment()
            context.logger.error(
                "delivery refused",
                metadata: ["intent": "\(intent.intentID)", "reason": "\(reason)"]
            )
        case .unanswered: failures.increment()
        }
        let (inputs, pauseUs) = dispatch.settle(intent.intentID, answer)
        for input in inputs { try await host.submit(input) }
        if pauseUs > 0 { try await Task.sleep(for: .microseconds(pauseUs)) }
    }

    private func attempt(_ intent: DeliveryIntended) async throws -> DeliveryDispatch.Answer {
        while case .wait(let untilUs) = dispatch.call(for: intent.intentID, nowUs: uptimeUs) {
            try await Task.sleep(for: .microseconds(max(1, untilUs - uptimeUs)))
        }
        do throws(PeerFailure) {
            if dispatch.call(for: intent.intentID, nowUs: uptimeUs) == .lookUp,
                let receipt = try await peer.lookUp(intent)
            {
                return .carriedOut(reference: receipt.reference, foundByLookUp: true)
            }
            dispatch.sending(intent.intentID, nowUs: uptimeUs)
            return .carriedOut(reference: try await peer.deliver(intent).reference, foundByLookUp: false)
        } catch {
            switch error {
            case .refused(let reason): return .refused(reason: reason)
            case .unreachable(let reason), .inDoubt(let reason): return .unanswered(reason: reason)
            }
        }
    }

    /// Microseconds since the loop was made, by a clock that nobody sets.
    private var uptimeUs: Int64 {
        let (seconds, attoseconds) = startedAt.duration(to: .now).components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }
}
