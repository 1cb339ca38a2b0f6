import Foundation
import Testing

extension EndToEnd {
    /// What breaks in a plant, done to real processes; afterwards the same checks as after a quiet run.
    @Suite(.serialized) struct FaultTests {
        private static let services = [
            "camera-ingest", "inspector", "mes-bridge", "erp-bridge", "traceability-projector", "alerting",
        ]

        @Test(
            "I7, GL-08 kill -9 of any service again and again: no part lost or counted twice, no second effect",
            arguments: [("embedded", 420, 20), ("kafka", 200, 8)]
        )
        func killedServices(_ log: String, _ parts: Int, _ wanted: Int) async throws {
            let choice = log == "kafka" ? ["--log", "kafka"] : []
            let plant = try PlantUnderTest(["--parts", "\(parts)", "--rate", "25"] + choice)
            var kills = 0
            var random = SplitMix(seed: 20_261_121)
            let report = try await plant.finish { done in
                guard kills < wanted, done >= 10 + kills * (parts - 40) / wanted else { return }
                let service = Self.services[Int(random.next() % UInt64(Self.services.count))]
                if plant.kill(service) { kills += 1 }
            }
            #expect(kills == wanted)
            expectAllAccounted(report, parts: parts, plant)
        }

        @Test("I7 a process asleep keeps its topics: a second instance is refused, and the sleeper goes on")
        func sleepingProcess() async throws {
            let plant = try PlantUnderTest(["--parts", "200", "--rate", "40"])
            var asleep = 0
            let writers = ["inspector", "mes-bridge", "erp-bridge", "alerting", "camera-ingest"]
            let report = try await plant.finish { done in
                guard asleep < writers.count, done >= 20 + asleep * 30 else { return }
                let service = writers[asleep]
                #expect(plant.signal(service, SIGSTOP))
                let second = try PlantUnderTest.run(service, ["--plant", "\(plant.directory)/plant.yaml"])
                #expect(second.code == 3)
                #expect(second.said.contains("another process writes here"), "\(second.said)")
                #expect(plant.signal(service, SIGCONT))
                asleep += 1
            }
            #expect(asleep == writers.count)
            expectAllAccounted(report, parts: 200, plant)
        }

        @Test("I7, I11 the disk full under the whole plant: everything waits, says so, and goes on")
        func fullDisk() async throws {
            let disk = NSTemporaryDirectory() + "lineledger-disk-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: disk) }
            let mounted = try PlantUnderTest.run(
                "/usr/bin/env",
                ["mount", "-t", "tmpfs", "-o", "size=160m", "none", disk]
            )
            guard mounted.code == 0 else {
                print("skipped: no small disk can be mounted here: \(mounted.said)")
                return
            }
            do {
                let plant = try PlantUnderTest(["--parts", "150", "--rate", "40"], in: disk)
                let ballast = "\(disk)/ballast"
                var isFilled = false
                let report = try await plant.finish { done in
                    guard !isFilled, done >= 50 else { return }
                    isFilled = true
                    _ = try PlantUnderTest.run("/usr/bin/env", ["dd", "if=/dev/zero", "of=\(ballast)", "bs=4k"])
                    try plant.wait { try plant.metric("lineledger_records_waiting", port: 1) ?? 0 > 10 }
                    try FileManager.default.removeItem(atPath: ballast)
                }
                #expect(isFilled)
                expectAllAccounted(report, parts: 150, plant)
            }
            _ = try PlantUnderTest.run("/usr/bin/env", ["umount", "-l", disk])
        }

        @Test("REL-01 .. REL-04 the broker hangs for a while: verdicts wait in memory, then all of it arrives in order")
        func hangingBroker() async throws {
            let plant = try PlantUnderTest(["--parts", "150", "--rate", "40", "--log", "kafka"])
            var hasHung = false
            let report = try await plant.finish { done in
                guard !hasHung, done >= 50 else { return }
                hasHung = true
                try plant.signalBroker(SIGSTOP)
                try plant.wait { try plant.metric("lineledger_records_waiting", port: 1) ?? 0 > 0 }
                try plant.signalBroker(SIGCONT)
            }
            #expect(hasHung)
            expectAllAccounted(report, parts: 150, plant)
        }
    }
}
