package import PlantEvents
package import ServiceRuntime

/// A MES that speaks the plain REST API of `openapi.yaml`: production context in; holds, order quality and yield out.
package struct RestMes: InboundPeer, OutboundPeer {
    package typealias Kind = ProductionRecord.Event.OneOf_Kind

    private let client: RestClient

    /// - Parameters:
    ///   - baseURL: what comes before `/v1`.
    ///   - token: bearer token; nil for none.
    ///   - timeout: for each call, until the answer begins.
    package init(baseURL: String, token: String?, timeout: Duration) {
        client = RestClient(baseURL: baseURL, token: token, timeout: timeout)
    }

    /// The connector as the plant file describes it; the token is read from where the file says.
    package init(_ connector: PlantFile.Connector, environment: [String: String]) throws(SecretError) {
        self.init(
            baseURL: connector.url,
            token: try connector.token?.read(environment: environment),
            timeout: .milliseconds(connector.timeoutMs)
        )
    }

    package func messages(after cursor: String, limit: Int) async throws(PeerFailure) -> [PeerMessage<Kind>] {
        try await client.messages(after: cursor, limit: limit, MesContent.self)
    }

    package func deliver(_ intent: DeliveryIntended) async throws(PeerFailure) -> PeerReceipt {
        switch intent.effect {
        case .lotHold(let hold):
            try await client.deliver(intent, kind: "lot-hold", content: MesLotHold(hold))
        case .orderQualityStatus(let status):
            try await client.deliver(intent, kind: "order-quality-status", content: MesOrderQualityStatus(status))
        case .orderYield(let yield):
            try await client.deliver(intent, kind: "order-yield", content: MesOrderYield(yield))
        default:
            throw .refused(
                "intent \(intent.intentID) is nothing for a MES; expected lot_hold, order_quality_status or order_yield"
            )
        }
    }

    package func lookUp(_ intent: DeliveryIntended) async throws(PeerFailure) -> PeerReceipt? {
        try await client.lookUp(intent)
    }
}
