import Foundation
import NIOHTTP1
import PlantEvents
import ServiceRuntime
import SwiftProtobuf
import Testing

@Suite struct LegalHoldRoutesTests {
    private func ask(
        _ bench: DecisionBench,
        _ path: String,
        _ subjects: [String] = [],
        request: String = "\(UInt64.random(in: 0...UInt64.max))",
        reason: String = "case 12"
    ) async throws -> Answer {
        let asked = LegalHoldWire.Request(
            requestID: request,
            person: "lea",
            systemUser: "root",
            reason: reason,
            subjectIDs: subjects
        )
        return try await bench.send(.POST, path, [UInt8](try JSONEncoder().encode(asked)))
    }

    private func reply(_ answer: Answer) throws -> LegalHoldWire.Reply {
        try JSONDecoder().decode(LegalHoldWire.Reply.self, from: Data(answer.body))
    }

    @Test("TRC-16: a legal hold is placed and lifted, on record with who and why; the same request is taken once")
    func life() async throws {
        try await DecisionBench.run { bench in
            for isRepeated in [false, true] {
                let answer = try await ask(bench, LegalHoldWire.manage, ["B-1", "SN-7"], request: "one")
                let reply = try reply(answer)
                #expect(reply.legalHoldID == "LH-1" && reply.isRepeated == isRepeated, "\(answer.text)")
            }
            #expect(try reply(try await ask(bench, LegalHoldWire.manage, ["B-2"])).legalHoldID == "LH-2")
            let lifted = try await ask(bench, LegalHoldWire.lift("LH-1"))
            #expect(lifted.status == 200, "\(lifted.text)")
            let again = try await ask(bench, LegalHoldWire.lift("LH-1"))
            #expect(again.status == 409)
            #expect(try again.error().contains("no legal hold LH-1 stands"))
            let silent = try await ask(bench, LegalHoldWire.manage, ["B-3"], reason: " ")
            #expect(silent.status == 409)
            #expect(try silent.error().contains("expected why"))
            let records = try await bench.decisions()
            #expect(
                records.flatMap { $0.events.map(\.kindName) } == [
                    "legal_hold_placed", "legal_hold_placed", "legal_hold_lifted",
                ]
            )
            #expect(records.map(\.meta.subject) == ["LH-1", "LH-2", "LH-1"])
            guard case .legalHoldPlaced(let placed)? = records.first?.events.first?.kind else { return }
            #expect(placed.subjectIds == ["B-1", "SN-7"] && placed.act.personID == "lea")
            #expect(placed.act.reason == "case 12" && placed.act.authentication == .systemUser)
        }
    }

    @Test("SEC-01: without this run's token no legal hold is placed or lifted; what is no request is refused")
    func guarded() async throws {
        try await DecisionBench.run { bench in
            for path in [LegalHoldWire.manage, LegalHoldWire.lift("LH-1")] {
                let guessed = try await bench.send(.POST, path, [], token: "guessed")
                #expect(guessed.status == 401)
                let cut = try await bench.send(.POST, path, Array("{".utf8))
                #expect(cut.status == 400)
            }
            let decisions = try await bench.decisions()
            #expect(decisions.isEmpty)
        }
    }
}
