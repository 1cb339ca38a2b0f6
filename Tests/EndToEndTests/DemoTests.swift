import Foundation
import Testing

/// Whole plants as a user runs them, one at a time.
@Suite(.serialized) enum EndToEnd {}

extension EndToEnd {
    /// The main job on real processes.
    @Suite(.serialized) struct DemoTests {
        @Test("GL-01 a normal run: every part accounted for, every hold booked once, the rebuild is equal")
        func normalRun() async throws {
            let plant = try PlantUnderTest(["--parts", "300"])
            let report = try await plant.finish()
            expectAllAccounted(report, parts: 300, plant)
            let holds = report["holds"] as? Int ?? 0
            #expect(holds > 0)
            let truth = report["ground_truth"] as? [String: Int] ?? [:]
            #expect(truth["labelled"] == 300)
            let rejected = (report["verdicts"] as? [String: Int])?["fail"] ?? 0
            // Escapes and overkill are counted against the scene's own labels: most defects are found, hardly a good part fails.
            #expect((truth["escapes"] ?? 300) < max(1, rejected / 2))
            #expect((truth["overkill"] ?? 300) <= 3)
        }

        @Test(
            "GL-07, REL-01 .. REL-04 the MES away for the middle third: verdicts go on, everything arrives afterwards, in order"
        )
        func mesAway() async throws {
            let plant = try PlantUnderTest(["--rate", "60"])
            var phase = 0
            let report = try await plant.finish { done in
                guard phase < 3, done >= 100 * (phase + 1) else { return }
                phase += 1
                switch phase {
                case 1: try await plant.setFaults(#"{"down": true}"#, port: 11)
                case 2: try await plant.setFaults(#"{"down": false}"#, port: 11)
                default: plant.end()
                }
            }
            #expect(phase == 3)
            expectAllAccounted(report, plant)
        }

        @Test("I4 a MES and ERP that lie about every fifth effect: done once each all the same")
        func lyingPeers() async throws {
            let plant = try PlantUnderTest(["--rate", "60"])
            var lyingSince: Int?
            let report = try await plant.finish { done in
                if let lyingSince {
                    if done >= lyingSince + 200 { plant.end() }
                } else if done >= 1 {
                    lyingSince = done
                    for offset in [11, 12] { try await plant.setFaults(#"{"lie_every": 5}"#, port: offset) }
                }
            }
            #expect(lyingSince != nil)
            expectAllAccounted(report, plant)
        }

        @Test("The same job on Kafka's protocol: librdkafka's mock cluster as a process of its own")
        func onKafka() async throws {
            let plant = try PlantUnderTest(["--parts", "150", "--log", "kafka"])
            let report = try await plant.finish()
            expectAllAccounted(report, parts: 150, plant)
            #expect((report["log"] as? [String: Any])?["backend"] as? String == "kafka")
        }

        @Test(
            "Real photographs: learned from part of the good ones, the rest judged",
            arguments: ["aws-cookie", "aws-aliens"]
        )
        func photographs(_ set: String) async throws {
            let folder = FileManager.default.currentDirectoryPath + "/../shared/data/\(set)"
            guard FileManager.default.fileExists(atPath: folder) else {
                print("skipped: no images at \(folder)")
                return
            }
            let plant = try PlantUnderTest(["--parts", "40", "--images", folder])
            let report = try await plant.finish()
            expectAllAccounted(report, parts: 40, plant)
            #expect((report["ground_truth"] as? [String: Int])?["labelled"] == 40)
        }
    }
}
