import AsyncHTTPClient
import EventLog
import Evidence
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import PlantCore
import PlantEvents
import ServiceLifecycle
import ServiceRuntime
import SwiftProtobuf
import Testing
import Vision
import console

/// A console that takes decisions, on a log in memory, and a sender with its token.
struct DecisionBench {
    let log: MemoryLog
    let context: ServiceContext
    let store: ContentStore
    private let token: String
    private let port: Int

    /// Runs the console while `body` asks it.
    static func run(_ body: (DecisionBench) async throws -> Void) async throws {
        let state = NSTemporaryDirectory() + "decisions-\(UInt64.random(in: 0...UInt64.max))"
        defer { try? FileManager.default.removeItem(atPath: state) }
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let log = MemoryLog()
        let plant = PlantFile(
            enterprise: "acme",
            site: "berlin",
            area: "assembly",
            log: "memory:",
            state: state,
            lines: []
        )
        let context = ServiceContext(
            service: "console",
            instance: "run-1",
            plant: plant,
            log: log,
            logger: quiet,
            nowUs: { 1_715_922_000_000_000 }
        )
        let host = DeciderHost(DecisionCore(), context: context, topic: .decisions)
        try await host.restore()
        let store = try context.openRecipes()
        let shown = try ManagementToken(context)
        let routes = RecipeRoutes(
            desk: RecipeDesk(host: host, store: store, context: context),
            token: shown,
            logger: quiet
        )
        let legalHolds = LegalHoldRoutes(host: host, token: shown, logger: quiet)
        let path = ManagementToken.path(state: state, service: "console")
        let token = try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [.init(service: host)], logger: quiet)
        )
        async let running: Void = group.run()
        do {
            try await ConsoleBench.serve({
                routes.add(to: $0)
                legalHolds.add(to: $0)
            }) { port in
                try await body(DecisionBench(log, context, store, token, port))
            }
        } catch {
            await group.triggerGracefulShutdown()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await running
    }

    private init(_ log: MemoryLog, _ context: ServiceContext, _ store: ContentStore, _ token: String, _ port: Int) {
        self.log = log
        self.context = context
        self.store = store
        self.token = token
        self.port = port
    }

    func send(_ method: HTTPMethod, _ path: String, _ body: [UInt8] = [], token: String? = nil) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        request.headers.add(name: "authorization", value: "Bearer \(token ?? self.token)")
        request.body = .bytes(body)
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(120))
        let answer = try await response.body.collect(upTo: 1 << 24)
        return Answer(
            status: Int(response.status.code),
            headers: response.headers,
            body: [UInt8](answer.readableBytesView)
        )
    }

    func ask(_ path: String, _ person: String, _ fill: (inout RecipeWire.Request) -> Void = { _ in }) async throws
        -> Answer
    {
        var request = RecipeWire.Request(
            requestID: "\(UInt64.random(in: 0...UInt64.max))",
            person: person,
            systemUser: "root"
        )
        request.reason = "because"
        fill(&request)
        return try await send(.POST, "\(RecipeWire.manage)\(path)", [UInt8](try JSONEncoder().encode(request)))
    }

    /// Sends content; returns its hash.
    func keep(_ bytes: [UInt8]) async throws -> String {
        let sha256 = hexSHA256(bytes)
        let answer = try await send(.PUT, RecipeWire.content(sha256), bytes)
        #expect([201, 204].contains(answer.status), "\(answer.text)")
        return sha256
    }

    func stage(of sha256: String) async throws -> RecipeLife.Stage? {
        let answer = try await send(.GET, RecipeWire.list)
        return try JSONDecoder().decode(RecipeWire.Listing.self, from: Data(answer.body)).recipes
            .first { $0.sha256 == sha256 }?.stage
    }

    /// What stands in `decisions`, without takeovers.
    func decisions() async throws -> [DecisionRecord] {
        let place = context.partition(.decisions)
        let end = try await log.endOffset(of: place)
        let reader = try await log.reader(from: [place: 0])
        var records: [DecisionRecord] = []
        var next: Int64 = 0
        while next < end {
            for stored in try await reader.next(max: 100, wait: .seconds(1)) {
                next = stored.offset + 1
                records.append(try Codec.decode(from: stored.record.value))
            }
        }
        await reader.close()
        return records.filter { $0.events.first?.kindName != "writer_took_over" }
    }
}

private func recipe(_ revision: String, template: String) -> [UInt8] {
    Array(
        """
        recipe: pcb-7
        revision: "\(revision)"
        station: vision-1
        product: PCB-7
        control_plan: CP-7/3
        tools:
          - name: board
            golden_template: {template: \(template), threshold: 32}
        limits: {fail_at: 1.0}
        reaction: {hold_on: [], reject_uncertain: true}

        """.utf8
    )
}

private func report(_ recipe: String, escapes: Int = 0) -> [UInt8] {
    Array(
        """
        {"recipe": "pcb-7", "revision": "1", "recipe_sha256": "\(recipe)", "model_sha256": [],
         "set_sha256": "\(String(repeating: "5", count: 64))", "pictures": 10, "good_passed": 8, "good_uncertain": 0,
         "good_failed": 1, "bad_passed": \(escapes), "bad_uncertain": 0, "bad_failed": 1, "unjudged": 0,
         "escapes": {"events": \(escapes), "trials": 1, "lower": 0, "upper": 1},
         "overkill": {"events": 1, "trials": 9, "lower": 0, "upper": 1}, "challenges": [], "misses": []}
        """.utf8
    )
}

@Suite struct RecipeRoutesTests {
    @Test(
        "CHG-03, CHG-04, I9: a recipe is submitted, tested, approved by another person, released and retired, all on record"
    )
    func life() async throws {
        try await DecisionBench.run { bench in
            let template = try await bench.keep([1, 2, 3])
            let sha256 = try await bench.keep(recipe("1", template: "{file: board.png, sha256: \(template)}"))
            let submitted = try await bench.ask("", "ada") { $0.recipeSHA256 = sha256 }
            #expect(submitted.status == 200, "\(submitted.text)")
            #expect(try await bench.stage(of: sha256) == .draft)
            let early = try await bench.ask("/\(sha256)/approve", "ben")
            #expect(early.status == 409)
            #expect(try early.error().contains("must be tested first"))
            let report = try await bench.keep(report(sha256))
            #expect(try await bench.ask("/\(sha256)/test", "ada") { $0.reportSHA256 = report }.status == 200)
            let own = try await bench.ask("/\(sha256)/approve", "ada") { $0.reportSHA256 = report }
            #expect(try own.error().contains("another person"))
            #expect(try await bench.ask("/\(sha256)/approve", "ben") { $0.reportSHA256 = report }.status == 200)
            #expect(try await bench.ask("/\(sha256)/release", "ben").status == 200)
            #expect(try await bench.stage(of: sha256) == .active)
            #expect(try await bench.ask("/\(sha256)/retire", "ben").status == 200)
            #expect(try await bench.ask("/\(sha256)/release", "ben").status == 409)
            let records = try await bench.decisions()
            #expect(
                records.flatMap { $0.events.map(\.kindName) } == [
                    "recipe_submitted", "recipe_tested", "recipe_approved", "recipe_released", "recipe_retired",
                ]
            )
            guard case .recipeSubmitted(let event)? = records.first?.events.first?.kind,
                case .recipeTested(let test)? = records.dropFirst().first?.events.first?.kind,
                case .recipeReleased(let release)? = records.dropFirst(3).first?.events.first?.kind
            else {
                Issue.record("\(records)")
                return
            }
            #expect(event.fileSha256 == [template] && event.skus == ["PCB-7"] && event.station == "vision-1")
            #expect(event.act.authentication == .systemUser && event.act.personID == "ada")
            #expect(test.pictures == 10 && test.overkills == 1, "the figures are the report's, not the sender's")
            #expect(release.skus == ["PCB-7"] && release.stations == ["vision-1"])
            #expect(records[3].meta.mustUnderstand && records[4].meta.mustUnderstand)
        }
    }

    @Test("I2: what is submitted names every file by hash, and all of it was sent")
    func fixesAll() async throws {
        try await DecisionBench.run { bench in
            let unnamed = try await bench.keep(recipe("1", template: "board.png"))
            let loose = try await bench.ask("", "ada") { $0.recipeSHA256 = unnamed }
            #expect(loose.status == 400)
            #expect(
                try loose.error().contains(
                    "recipe:8: tools[0].golden_template.template: found board.png without its hash"
                )
            )
            let other = String(repeating: "b", count: 64)
            let unsent = try await bench.keep(recipe("1", template: "{file: board.png, sha256: \(other)}"))
            let missing = try await bench.ask("", "ada") { $0.recipeSHA256 = unsent }
            #expect(try missing.error().contains("was not sent"))
            let nonsense = try await bench.keep(Array("recipe: [".utf8))
            #expect(try await bench.ask("", "ada") { $0.recipeSHA256 = nonsense }.status == 400)
            #expect(try await bench.ask("", "ada") { $0.recipeSHA256 = other }.status == 400)
            let damaged = try await bench.send(.PUT, RecipeWire.content(other), [9])
            #expect(damaged.status == 400)
            #expect(try !bench.store.contains(other))
            #expect(try await bench.decisions().isEmpty)
        }
    }

    @Test("CHG-09: a submission says what differs from the recipe that it is to replace")
    func saysChanges() async throws {
        try await DecisionBench.run { bench in
            var hashes: [String] = []
            for revision in ["1", "2"] {
                let template = try await bench.keep(Array("template \(revision)".utf8))
                let sha256 = try await bench.keep(recipe(revision, template: "{file: board.png, sha256: \(template)}"))
                hashes.append(sha256)
                #expect(try await bench.ask("", "ada") { $0.recipeSHA256 = sha256 }.status == 200)
                let report = try await bench.keep(report(sha256))
                #expect(try await bench.ask("/\(sha256)/test", "ada") { $0.reportSHA256 = report }.status == 200)
                #expect(try await bench.ask("/\(sha256)/approve", "ben") { $0.reportSHA256 = report }.status == 200)
                #expect(try await bench.ask("/\(sha256)/release", "ben").status == 200)
            }
            #expect(try await bench.stage(of: hashes[0]) == .approved, "replaced")
            let second = try await bench.decisions().flatMap(\.events).compactMap { event in
                if case .recipeSubmitted(let submitted)? = event.kind { submitted } else { nil }
            }.last
            #expect(second?.replacesSha256 == hashes[0])
            #expect(second?.changes.first == "revision: 1 -> 2")
            #expect(second?.changes.count == 2)
        }
    }

    @Test("SEC-01: without this run's token nothing is done, and the same request twice is done once")
    func guarded() async throws {
        try await DecisionBench.run { bench in
            #expect(try await bench.send(.POST, RecipeWire.manage, [], token: "guessed").status == 401)
            #expect(try await bench.send(.PUT, RecipeWire.content(hexSHA256([1])), [1], token: "").status == 401)
            let template = try await bench.keep([1, 2, 3])
            let sha256 = try await bench.keep(recipe("1", template: "{file: board.png, sha256: \(template)}"))
            for isRepeated in [false, true] {
                let answer = try await bench.ask("", "ada") {
                    $0.recipeSHA256 = sha256
                    $0.requestID = "one"
                }
                let reply = try JSONDecoder().decode(RecipeWire.Reply.self, from: Data(answer.body))
                #expect(reply.isRepeated == isRepeated && reply.recipe?.stage == .draft)
            }
            #expect(try await bench.decisions().count == 1)
            let other = try await bench.keep(report(String(repeating: "c", count: 64)))
            let foreign = try await bench.ask("/\(sha256)/test", "ada") { $0.reportSHA256 = other }
            #expect(try foreign.error().contains("the test report is of recipe cccc"))
        }
    }
}
