import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import PlantEvents
import PlantSim
import ServiceLifecycle
import ServiceRuntime
import SwiftProtobuf
import Synchronization

/// Runs a simulated peer on a free port for the length of `body`, and stops it. `books` outlives it.
func withPeer<Result: Sendable>(
    _ make: (SimulatedPeerSettings) -> any Service,
    books: BooksFile,
    token: String? = nil,
    _ body: @Sendable (PeerDesk) async throws -> Result
) async throws -> Result {
    let (ports, ready) = AsyncStream.makeStream(of: Int.self)
    var logger = Logger(label: "peer")
    logger.logLevel = .error
    let clock = Atomic<Int64>(1_700_000_000_000_000)
    let settings = SimulatedPeerSettings(
        booksPath: books.path,
        port: 0,
        token: token,
        nowUs: { clock.wrappingAdd(1, ordering: .relaxed).newValue },
        logger: logger,
        onReady: { port in
            ready.yield(port)
            ready.finish()
        }
    )
    let group = ServiceGroup(configuration: .init(services: [make(settings)], logger: logger))
    return try await withThrowingTaskGroup { tasks in
        tasks.addTask {
            // Ends the wait below when the peer could not start.
            defer { ready.finish() }
            try await group.run()
        }
        var found: Int?
        for await port in ports { found = port }
        guard let port = found else {
            try await tasks.waitForAll()
            throw InvalidRecord("the peer ended before it was ready")
        }
        do {
            let result = try await body(PeerDesk(url: "http://127.0.0.1:\(port)"))
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return result
        } catch {
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            throw error
        }
    }
}

/// A file that is gone after the test.
final class BooksFile: Sendable {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("books-\(UUID().uuidString).sqlite").path
    }

    deinit {
        // A file that was never made need not go.
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
    }
}

/// What a tester does at a simulated peer, beside its API.
struct PeerDesk: Sendable {
    let url: String

    /// Status and body of a plain call.
    func call(_ method: String, _ path: String, body: String? = nil) async throws -> (
        status: Int, label: String, body: Data
    ) {
        var request = HTTPClientRequest(url: url + path)
        request.method = .init(rawValue: method)
        if let body { request.body = .bytes(Data(body.utf8)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
        let data = Data((try await response.body.collect(upTo: 1 << 24)).readableBytesView)
        return (Int(response.status.code), response.headers.first(name: "simulated-peer") ?? "", data)
    }

    func faults(_ json: String) async throws {
        let answer = try await call("PUT", "/faults", body: json)
        guard answer.status == 200 else {
            throw InvalidRecord(
                "PUT /faults answered \(answer.status): \(String(decoding: answer.body, as: UTF8.self))"
            )
        }
    }

    func books() async throws -> PeerReport {
        try JSONDecoder().decode(PeerReport.self, from: try await call("GET", "/books").body)
    }
}

/// The failure that `call` throws; nil where it does not fail.
func failure<Result>(of call: () async throws(PeerFailure) -> Result) async -> PeerFailure? {
    do {
        _ = try await call()
        return nil
    } catch {
        return error
    }
}

extension PeerFailure {
    var kind: String {
        switch self {
        case .unreachable: "unreachable"
        case .inDoubt: "inDoubt"
        case .refused: "refused"
        }
    }

    var words: String {
        switch self {
        case .unreachable(let words), .inDoubt(let words), .refused(let words): words
        }
    }
}

func hold(_ id: String, batch: String = "B-1") -> DeliveryIntended {
    .with {
        $0.intentID = "mes:hold/\(id) ä%"
        $0.peer = "mes"
        $0.businessKey = "batch/\(batch)"
        $0.lotHold = .with {
            $0.holdID = id
            $0.subjectKind = .batch
            $0.subjectID = batch
            $0.reason = "two opens in a row"
        }
    }
}

func yield(_ order: String, accepted: UInt64, rejected: UInt64 = 0) -> DeliveryIntended {
    .with {
        $0.intentID = "mes:yield:\(order):\(accepted + rejected)"
        $0.peer = "mes"
        $0.businessKey = "order/\(order)"
        $0.orderYield = .with {
            $0.orderID = order
            $0.accepted = accepted
            $0.rejected = rejected
        }
    }
}

func mesScenario(orders: Int = 2, target: UInt64 = 10) -> MesScenario {
    let planned = (1...orders).map { number in
        var order = MesScenario.Order(
            line: "line-1",
            orderID: "O-\(number)",
            sku: "PCB-\(number)",
            batchID: "B-\(number)",
            recipeID: "board-\(number)",
            targetQuantity: target
        )
        order.variant = "lead-free"
        order.customerOrder = "CO-\(number)"
        order.recipeSHA256 = number == 1 ? String(repeating: "ab", count: 32) : nil
        order.materialLots = ["L-1"]
        order.controlPlanRevision = "CP-3"
        order.conditions = [.init(name: "oven_temperature", value: 245.5, unit: "CEL")]
        order.customerRequirements = ["IPC-A-600 class 3"]
        return order
    }
    return MesScenario(
        shift: "2024-05-17/early",
        materialLots: [.init(line: "line-1", materialLotID: "L-1", sku: "FR4")],
        orders: planned
    )
}
