import Foundation
import Testing

extension EndToEnd {
    /// Retention, budget and holds on real processes: what may go goes, oldest first, and what is held stays.
    @Suite(.serialized) struct EvidenceTests {
        /// Batches of the run, in the order in which they are made.
        private static let batches = ["B-1001", "B-1002", "B-1003"]
        private static let parts = 240

        @Test(
            "RES-13, TRC-16, I5, I8: pictures expire or make room, oldest first; held ones stay; trace and verify agree",
            arguments: [["--retain", "5s"], ["--retain", "while_room", "--evidence-budget", "55000000"]]
        )
        func keeping(_ policy: [String]) async throws {
            // This scene's first batch is free of holds; the third is held for one of its parts.
            let run = ["--parts", "\(Self.parts)", "--rate", "20", "--defect-rate", "0.01", "--seed", "9"]
            let plant = try PlantUnderTest(run + policy)
            var console: Process?
            defer { console?.terminate() }
            var isHeld = false
            var hasExpired = false
            let report = try await plant.finish { done in
                if !isHeld, done >= 5 {
                    // A part that is stored, and a batch of which nothing is made yet: the camera waits meanwhile.
                    #expect(plant.signal("camera-ingest", SIGSTOP))
                    console = try PlantUnderTest.start("console", ["--plant", "\(plant.directory)/plant.yaml"], [:])
                    try plant.wait { try Self.hold(plant, "place-legal", ["vision-1/1/2", Self.batches[1]]) == 0 }
                    #expect(plant.signal("camera-ingest", SIGCONT))
                    isHeld = true
                } else if isHeld, !hasExpired, done >= 100 {
                    try plant.wait { try plant.metric("lineledger_evidence_expired_total", port: 1) ?? 0 >= 5 }
                    hasExpired = true
                }
            }
            #expect(isHeld && hasExpired)
            expectAllAccounted(report, parts: Self.parts, plant)
            let verify = try PlantUnderTest.run("lineledger", ["verify", "--plant", "\(plant.directory)/plant.yaml"])
            #expect(verify.code == 0, "\(verify.said)")
            try Self.expectHeldKept(plant)
        }

        /// Exit code of `hold` with these subjects; its complaint is in the message of the wait that failed.
        private static func hold(_ plant: PlantUnderTest, _ verb: String, _ words: [String]) throws -> Int32 {
            let path = "\(plant.directory)/plant.yaml"
            return try PlantUnderTest.run(
                "lineledger",
                ["hold", verb] + words + ["--reason", "case 12", "--person", "lea", "--plant", path]
            ).code
        }

        private static func expectHeldKept(_ plant: PlantUnderTest) throws {
            let holds = try ask(plant, ["hold", "list"])
            let legal = try #require((holds["legal_holds"] as? [[String: Any]])?.first)
            #expect(legal["placed_by"] as? String == "lea" && legal["reason"] as? String == "case 12")
            #expect(legal["legal_hold_id"] as? String == "LH-1")
            let blocked = Set((holds["holds"] as? [[String: Any]] ?? []).compactMap { $0["subject_id"] as? String })
            var expired = 0
            for batch in batches {
                let trace = try ask(plant, ["trace", batch])
                let made = try #require(trace["parts"] as? [[String: Any]])
                // The part at which a batch begins is the one after the station heard of it.
                #expect(abs(made.count - parts / batches.count) <= 20)
                let isHeld = blocked.contains(batch) || batch == batches[1]
                // The first batch has a part under legal hold, the second is under it as a whole.
                #expect((trace["legal_holds"] as? [Any])?.isEmpty == (batch == batches[2]))
                var isExpiredAfter = false
                for part in made.reversed() {
                    let name = part["part_id"] as? String ?? ""
                    let evidence = part["evidence"] as? [String: Any] ?? [:]
                    let isStored = evidence["stored"] as? Bool == true
                    let mayGo = !isHeld && part["verdict"] as? String == "pass" && name != "vision-1/1/2"
                    if !mayGo { #expect(isStored, "\(batch), \(name): \(evidence)") }
                    guard mayGo else { continue }
                    // Oldest first: before one that is gone, all that may go are gone.
                    #expect(!isExpiredAfter || !isStored, "\(batch), \(name) is kept, later ones are not")
                    guard !isStored else { continue }
                    isExpiredAfter = true
                    expired += 1
                    let reason = evidence["reason"] as? String ?? ""
                    #expect(reason.hasPrefix("deleted, by the rule pass: "), "\(name): \(reason)")
                }
                if isExpiredAfter {
                    let doubts = (trace["unproven"] as? [String] ?? []).joined(separator: "; ")
                    #expect(doubts.contains("picture deleted by the keeping policy"), "\(doubts)")
                }
            }
            #expect(expired >= 5)
        }

        private static func ask(_ plant: PlantUnderTest, _ words: [String]) throws -> [String: Any] {
            let answer = try PlantUnderTest.run(
                "lineledger",
                words + ["--json", "--plant", "\(plant.directory)/plant.yaml"]
            )
            let object = try JSONSerialization.jsonObject(with: Data(answer.said.utf8))
            guard let found = object as? [String: Any] else { throw PlantUnderTest.Failure(answer.said) }
            return found
        }
    }
}
