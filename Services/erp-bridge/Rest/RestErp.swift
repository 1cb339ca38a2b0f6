package import PlantEvents
package import ServiceRuntime

/// An ERP that speaks the plain REST API of `openapi.yaml`: receipts and shipments in; quality notifications, stock
/// blocks and order confirmations out.
package struct RestErp: InboundPeer, OutboundPeer {
    package typealias Kind = MaterialRecord.Event.OneOf_Kind

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
        try await client.messages(after: cursor, limit: limit, ErpContent.self)
    }

    package func deliver(_ intent: DeliveryIntended) async throws(PeerFailure) -> PeerReceipt {
        switch intent.effect {
        case .qualityNotification(let notification):
            try await client.deliver(
                intent,
                kind: "quality-notification",
                content: ErpQualityNotification(notification)
            )
        case .stockBlock(let block):
            try await client.deliver(intent, kind: "stock-block", content: ErpStockBlock(block))
        case .orderConfirmation(let confirmation):
            try await client.deliver(intent, kind: "order-confirmation", content: ErpOrderConfirmation(confirmation))
        default:
            throw .refused(
                "intent \(intent.intentID) is nothing for an ERP; expected quality_notification, stock_block or "
                    + "order_confirmation"
            )
        }
    }

    package func lookUp(_ intent: DeliveryIntended) async throws(PeerFailure) -> PeerReceipt? {
        try await client.lookUp(intent)
    }
}
