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
        while !Task.isCancelled {
            do {
                let messages = try await peer.messages(after: cursor(host.core), limit: 100)
                if !isReachable { context.logger.info("peer answers again") }
                isReachable = true
                backoff.reset()
                for message in messages { try await host.submit(input(message)) }
                if messages.isEmpty { try await Task.sleep(for: pollEvery) }
            } catch let failure as PeerFailure {
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
    private static var concurrentCalls: Int { 8 }

    private let context: ServiceContext
    private let peer: any OutboundPeer
    private let host: DeciderHost<DeliveryCore>
    private var inFlight: Set<String> = []
    /// Intents that may have been sent before: all that were open at the start, and those in doubt.
    private var doubtful: Set<String>
    private var backoff = Backoff(first: .milliseconds(100), longest: .seconds(5))
    private let bell: Doorbell
    private let delivered: Counter
    private let failures: Counter

    package init(_ context: ServiceContext, peer: any OutboundPeer, host: DeciderHost<DeliveryCore>) async {
        self.context = context
        self.peer = peer
        self.host = host
        bell = host.changes
        doubtful = Set(await host.core.openIntentIDs)
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
                let core = await host.core
                let limit = core.state.isPeerLost ? 1 : Self.concurrentCalls
                let due = core.due(limit: limit + inFlight.count).filter { !inFlight.contains($0.intentID) }
                    .prefix(max(0, limit - inFlight.count))
                if due.isEmpty {
                    await bell.wait()
                    continue
                }
                try await host.durable()
                for intent in due {
                    inFlight.insert(intent.intentID)
                    group.addTask { try await self.carryOut(intent) }
                }
            }
        }
    }

    private func carryOut(_ intent: DeliveryIntended) async throws {
        defer {
            inFlight.remove(intent.intentID)
            bell.ring()
        }
        do {
            let outcome = try await attempt(intent)
            doubtful.remove(intent.intentID)
            backoff.reset()
            try await host.submit(.peerRestored)
            try await host.submit(.outcome(intentID: intent.intentID, outcome))
            delivered.increment()
        } catch let failure as PeerFailure {
            failures.increment()
            try await settle(intent, failure)
        }
    }

    private func attempt(_ intent: DeliveryIntended) async throws(PeerFailure) -> DeliveryCore.Outcome {
        if doubtful.contains(intent.intentID), let receipt = try await peer.lookUp(intent) {
            return .confirmed(reference: receipt.reference, foundByLookUp: true)
        }
        // From here on it may have been done, whatever we hear.
        doubtful.insert(intent.intentID)
        let receipt = try await peer.deliver(intent)
        return .confirmed(reference: receipt.reference, foundByLookUp: false)
    }

    private func settle(_ intent: DeliveryIntended, _ failure: PeerFailure) async throws {
        switch failure {
        case .refused(let reason):
            doubtful.remove(intent.intentID)
            context.logger.error(
                "delivery refused",
                metadata: ["intent": "\(intent.intentID)", "reason": "\(reason)"]
            )
            try await host.submit(.outcome(intentID: intent.intentID, .refused(reason: reason)))
        case .unreachable(let reason), .inDoubt(let reason):
            try await host.submit(.peerLost(reason: reason))
            try await Task.sleep(for: backoff.next())
        }
    }
}
