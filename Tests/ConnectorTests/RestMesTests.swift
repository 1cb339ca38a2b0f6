import Foundation
import MesRest
import PlantEvents
import PlantSim
import ServiceRuntime
import Testing

/// The REST connector of a MES against the simulated MES, over loopback.
@Suite struct RestMesTests {
    private func withMes<Result: Sendable>(
        _ scenario: MesScenario = mesScenario(),
        books: BooksFile = BooksFile(),
        timeout: Duration = .seconds(120),
        _ body: @Sendable (PeerDesk, RestMes) async throws -> Result
    ) async throws -> Result {
        try await withPeer({ SimulatedMes(scenario, $0) }, books: books) { desk in
            try await body(desk, RestMes(baseURL: desk.url, token: nil, timeout: timeout))
        }
    }

    @Test func everyAnswerSaysThatThePeerIsSimulated() async throws {
        try await withMes { desk, _ in
            for path in ["/v1/messages", "/v1/effects/none", "/v1/messages?after=x", "/books", "/nowhere"] {
                let answer = try await desk.call("GET", path)
                #expect(answer.label == "mes", "\(path)")
            }
        }
    }

    @Test func openingMessagesComeInThePlantsWords() async throws {
        try await withMes { _, mes in
            let messages = try await mes.messages(after: "", limit: 100)
            #expect(messages.map(\.id) == (1...messages.count).map(String.init))
            let names = messages.flatMap(\.kinds).map { ProductionRecord.Event($0).kindName }
            #expect(
                names == ["shift_started", "material_lot_loaded", "order_released", "order_released", "order_started"]
            )
            guard case .orderReleased(let released) = messages[2].kinds.first else {
                Issue.record("message 3 is \(messages[2])")
                return
            }
            let context = released.context
            #expect(released.line == "line-1" && context.orderID == "O-1" && context.sku == "PCB-1")
            #expect(context.batchID == "B-1" && context.variant == "lead-free" && context.customerOrder == "CO-1")
            #expect(context.recipeID == "board-1" && context.recipeSha256 == String(repeating: "ab", count: 32))
            #expect(context.targetQuantity == 10 && context.materialLots == ["L-1"])
            #expect(context.controlPlanRevision == "CP-3" && context.customerRequirements == ["IPC-A-600 class 3"])
            #expect(context.conditions.map(\.value) == [245.5] && context.conditions.map(\.unit) == ["CEL"])
            #expect(messages[2].occurredAtUs > 1_700_000_000_000_000)
            // Reading on from any cursor gives the rest, and the same numbers.
            let rest = try await mes.messages(after: messages[1].cursor, limit: 2)
            #expect(rest.map(\.id) == ["3", "4"])
            #expect(try await mes.messages(after: messages[4].cursor, limit: 10).isEmpty)
        }
    }

    @Test func ordersAdvanceWithTheReportedYield() async throws {
        try await withMes { _, mes in
            _ = try await mes.deliver(yield("O-1", accepted: 8, rejected: 1))
            #expect(try await mes.messages(after: "5", limit: 10).isEmpty)
            _ = try await mes.deliver(yield("O-1", accepted: 8, rejected: 2))
            let messages = try await mes.messages(after: "5", limit: 10)
            let names = messages.flatMap(\.kinds).map { ProductionRecord.Event($0).kindName }
            #expect(
                names == [
                    "order_completed", "batch_closed", "changeover_started", "changeover_completed", "order_started",
                ]
            )
            #expect(messages.map(\.subject) == ["O-1", "B-1", "O-2", "O-2", "O-2"])
            _ = try await mes.deliver(yield("O-2", accepted: 12))
            let last = try await mes.messages(after: "10", limit: 10)
            #expect(last.map(\.subject) == ["O-2", "B-2"])
        }
    }

    @Test func aDeliveredIntentIsFoundAndNotDoneAgain() async throws {
        try await withMes { desk, mes in
            #expect(try await mes.lookUp(hold("H-1")) == nil)
            let receipt = try await mes.deliver(hold("H-1"))
            #expect(receipt.reference == "HLD-000001")
            #expect(try await mes.lookUp(hold("H-1")) == receipt)
            #expect(try await mes.deliver(hold("H-1")) == receipt)
            let books = try await desk.books()
            #expect(books.intents.map(\.intentID) == [hold("H-1").intentID])
            #expect(books.intents.map(\.times) == [1])
        }
    }

    @Test func aPeerThatIsDownIsUnreachableAndTakesNothing() async throws {
        try await withMes { desk, mes in
            try await desk.faults(#"{"down": true}"#)
            #expect(
                await failure { () async throws(PeerFailure) in try await mes.deliver(hold("H-1")) }?.kind
                    == "unreachable"
            )
            #expect(
                await failure { () async throws(PeerFailure) in try await mes.lookUp(hold("H-1")) }?.kind
                    == "unreachable"
            )
            #expect(
                await failure { () async throws(PeerFailure) in try await mes.messages(after: "", limit: 1) }?.kind
                    == "unreachable"
            )
            try await desk.faults("{}")
            #expect(try await mes.lookUp(hold("H-1")) == nil)
            _ = try await mes.deliver(hold("H-1"))
            #expect(try await desk.books().intents.map(\.times) == [1])
        }
    }

    @Test func aStoppedPeerIsUnreachable() async throws {
        let url = try await withMes { desk, _ in desk.url }
        let mes = RestMes(baseURL: url, token: nil, timeout: .seconds(120))
        let found = await failure { () async throws(PeerFailure) in try await mes.deliver(hold("H-1")) }
        #expect(found?.kind == "unreachable", "\(String(describing: found))")
    }

    @Test func aSlowPeerLeavesADoubtThatALookUpSettles() async throws {
        try await withMes(timeout: .seconds(5)) { desk, mes in
            try await desk.faults(#"{"slow_ms": 60000}"#)
            let found = await failure { () async throws(PeerFailure) in try await mes.deliver(hold("H-1")) }
            #expect(found?.kind == "inDoubt", "\(String(describing: found))")
            try await desk.faults("{}")
            let patient = RestMes(baseURL: desk.url, token: nil, timeout: .seconds(120))
            #expect(try await patient.lookUp(hold("H-1"))?.reference == "HLD-000001")
            #expect(try await desk.books().intents.map(\.times) == [1])
        }
    }

    /// The peer does it, but says 504, then drops the connection: look up before sending again, and it is done once.
    @Test func aLyingPeerLeavesDoubtsAndOneEffectEach() async throws {
        try await withMes { desk, mes in
            try await desk.faults(#"{"lie_every": 1}"#)
            for id in ["H-1", "H-2", "H-3", "H-4"] {
                let found = await failure { () async throws(PeerFailure) in try await mes.deliver(hold(id)) }
                #expect(found?.kind == "inDoubt", "\(id): \(String(describing: found))")
                #expect(try await mes.lookUp(hold(id)) != nil)
            }
            let books = try await desk.books()
            #expect(books.intents.map(\.times) == [1, 1, 1, 1])
            #expect(books.businessKeys["batch/B-1"] == ["H-1", "H-2", "H-3", "H-4"].map { hold($0).intentID })
        }
    }

    @Test func aRefusalComesInThePeersOwnWordsAndChangesNothing() async throws {
        try await withMes { desk, mes in
            let unknown = await failure { () async throws(PeerFailure) in
                try await mes.deliver(yield("O-9", accepted: 1))
            }
            #expect(unknown == .refused("422: order 'O-9' is unknown here"))
            try await desk.faults(#"{"refuse_every": 2}"#)
            _ = try await mes.deliver(hold("H-1"))
            let second = await failure { () async throws(PeerFailure) in try await mes.deliver(hold("H-2")) }
            #expect(second == .refused("422: refused as asked for by /faults"))
            #expect(try await mes.lookUp(hold("H-2")) == nil)
            // Re-driven, it goes through.
            _ = try await mes.deliver(hold("H-2"))
            #expect(try await desk.books().effects == ["lot-hold": 2])
        }
    }

    /// Without deduplication only the look-up stands between a repeat and a second effect.
    @Test func withoutDeduplicationARepeatIsDoneTwiceAndTheLookUpPreventsIt() async throws {
        try await withMes { desk, mes in
            try await desk.faults(#"{"deduplicate": false, "lie_every": 2}"#)
            let first = try await mes.deliver(hold("H-1"))
            #expect(
                await failure { () async throws(PeerFailure) in try await mes.deliver(hold("H-2")) }?.kind == "inDoubt"
            )
            if try await mes.lookUp(hold("H-2")) == nil { _ = try await mes.deliver(hold("H-2")) }
            #expect(try await mes.deliver(hold("H-1")) == first)
            #expect(try await desk.books().intents.map(\.times) == [2, 1])
        }
    }

    @Test func booksSurviveARestart() async throws {
        let books = BooksFile()
        let before = try await withMes(books: books) { desk, mes in
            _ = try await mes.deliver(hold("H-1"))
            _ = try await mes.deliver(yield("O-1", accepted: 10))
            return try await desk.books()
        }
        try await withMes(mesScenario(orders: 3), books: books) { desk, mes in
            #expect(try await desk.books().intents == before.intents)
            #expect(try await mes.lookUp(hold("H-1"))?.reference == "HLD-000001")
            // Nothing is published again; the new order is.
            let messages = try await mes.messages(after: "10", limit: 10)
            #expect(messages.map(\.id) == ["11"] && messages.map(\.subject) == ["O-3"])
            _ = try await mes.deliver(yield("O-2", accepted: 10))
            let last = try await mes.messages(after: "11", limit: 10).last
            #expect(last?.subject == "O-3")
        }
    }

    @Test func aWrongTokenIsRefused() async throws {
        try await withPeer({ SimulatedMes(mesScenario(), $0) }, books: BooksFile(), token: "s3cret") { desk in
            let stranger = RestMes(baseURL: desk.url, token: nil, timeout: .seconds(120))
            let found = await failure { () async throws(PeerFailure) in try await stranger.deliver(hold("H-1")) }
            #expect(found == .refused("401: bearer token missing or wrong"))
            let known = RestMes(baseURL: desk.url + "/", token: "s3cret", timeout: .seconds(120))
            let receipt = try await known.deliver(hold("H-1"))
            #expect(receipt.reference == "HLD-000001")
        }
    }

    /// A server that is not the peer proves nothing: its 404 is no "unknown intent".
    @Test func aWrongAddressIsNotTakenForAnUnknownIntent() async throws {
        try await withMes { desk, _ in
            let lost = RestMes(baseURL: desk.url + "/elsewhere", token: nil, timeout: .seconds(120))
            let found = await failure { () async throws(PeerFailure) in try await lost.lookUp(hold("H-1")) }
            #expect(found?.kind == "refused", "\(String(describing: found))")
            #expect(found?.words.contains("/elsewhere the peer?") == true)
            let page = await failure { () async throws(PeerFailure) in try await lost.messages(after: "", limit: 1) }
            #expect(page?.kind == "refused")
        }
    }

    @Test func whatIsNotForAMesIsRefusedBeforeItLeaves() async throws {
        let mes = RestMes(baseURL: "http://127.0.0.1:9", token: nil, timeout: .seconds(120))
        var intent = hold("H-1")
        intent.stockBlock = .init()
        let found = await failure { () async throws(PeerFailure) in try await mes.deliver(intent) }
        #expect(found?.kind == "refused")
        let cursor = await failure { () async throws(PeerFailure) in try await mes.messages(after: "x", limit: 1) }
        #expect(cursor == .refused("cursor 'x' is no message number of this peer; expected a whole number"))
    }

    @Test func aMisspeltFaultIsNamed() async throws {
        try await withMes { desk, _ in
            let answer = try await desk.call("PUT", "/faults", body: #"{"lie_evry": 3}"#)
            #expect(answer.status == 400)
            let text = String(decoding: answer.body, as: UTF8.self)
            #expect(text.contains("lie_evry") && text.contains("lie_every"))
        }
    }

    @Test func aWaitingReaderHearsOfANewMessage() async throws {
        try await withMes { desk, mes in
            async let waiting = desk.call("GET", "/v1/messages?after=5&wait_ms=30000")
            _ = try await mes.deliver(yield("O-1", accepted: 10))
            let text = String(decoding: try await waiting.body, as: UTF8.self)
            #expect(text.contains("order-completed"))
        }
    }
}
