import Foundation
import FoundationNetworking
import PlantEvents
import ServiceLifecycle
import ServiceRuntime
import Testing

/// Who may read the plant's state may act, and nobody else.
@Suite struct ParkedRoutesTests {
    private func post(_ path: String, _ port: Int, token: String?, _ body: String) async throws -> (Int, String) {
        let url = try #require(URL(string: "http://127.0.0.1:\(port)\(ParkedRoutes.prefix)\(path)"))
        var request = URLRequest(url: url, timeoutInterval: 30)
        request.httpMethod = "POST"
        request.httpBody = Data(body.utf8)
        if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
        let (data, response) = try await URLSession.shared.data(for: request)
        return (try #require(response as? HTTPURLResponse).statusCode, String(decoding: data, as: UTF8.self))
    }

    @Test func onlyTheTokenOpens() async throws {
        let bench = ParkedBench()
        try await bench.append([[0xff]])
        let parker = Parker(bench.context)
        _ = try await bench.intake(parker).next(max: 1, wait: .zero)
        let routes = try ParkedRoutes(bench.context)
        let path = ManagementToken.path(state: bench.context.plant.state, service: "mes-bridge")
        defer { try? FileManager.default.removeItem(atPath: bench.context.plant.state) }
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
        let token = try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .newlines)
        let item = try #require(try await bench.parkedItems().first)
        let wish = ParkedRoutes.Request(items: [item], actor: "alice", reason: "test data")
        let body = String(decoding: try JSONEncoder().encode(wish), as: UTF8.self)

        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let server = HealthServer(
            service: "mes-bridge",
            port: 0,
            metrics: PrometheusMetrics(),
            logger: ParkedBench.quiet,
            listening: { listening.yield($0) },
            routes: routes.add
        )
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [.init(service: server)], logger: ParkedBench.quiet)
        )
        async let running: Void = group.run()
        let port = try #require(await ports.first { _ in true })
        for wrong in [nil, "", String(token.dropLast()), token + "0", String(token.reversed())] {
            #expect(try await post("parked/discard", port, token: wrong, body).0 == 401)
        }
        #expect(try await post("parked/discard", port, token: token, "{}").0 == 400)
        #expect(try await post("parked/discard", port, token: token, body.replacing("test data", with: " ")).0 == 400)
        #expect(try await post("parked/discard", port, token: token, body.replacing("alice", with: "a b")).0 == 400)
        #expect(try await bench.parkedItems() == [item], "nothing happened")
        let (status, answer) = try await post("parked/discard", port, token: token, body)
        #expect(status == 200 && answer.contains("discarded"))
        #expect(try await bench.parkedItems().isEmpty)
        let (nothing, text) = try await post(
            "deliveries/redrive",
            port,
            token: token,
            #"{"intentIDs":["hold:1"],"actor":"alice"}"#
        )
        #expect(nothing == 200 && text.contains("no refused delivery"))
        await group.triggerGracefulShutdown()
        try await running
        #expect(try await bench.shelf.entries(withClosed: true).entries.map(\.closedBy) == ["alice"])
    }
}
