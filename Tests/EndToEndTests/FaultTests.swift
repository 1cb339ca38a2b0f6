import Foundation
import SeededRandom
import Testing

extension EndToEnd {
    /// What breaks in a plant, done to real processes; afterwards the same checks as after a quiet run. The line runs until
    /// the test ends it, so that on no machine it is at its end before the fault comes.
    @Suite(.serialized) struct FaultTests {
        @Test(
            "I7, GL-08 kill -9 of any service again and again: no part lost or counted twice, no second effect",
            arguments: [("embedded", 20), ("kafka", 8)]
        )
        func killedServices(_ log: String, _ wanted: Int) async throws {
            let choice = log == "kafka" ? ["--log", "kafka"] : []
            let plant = try PlantUnderTest(["--rate", "25"] + choice)
            var kills = 0
            var next = 10
            var random = SplitMix64(seed: 20_261_121)
            let report = try await plant.finish { done in
                guard done >= next else { return }
                guard kills < wanted else { return plant.end() }
                let service = PlantUnderTest.services[Int(random.next() % UInt64(PlantUnderTest.services.count))]
                guard plant.kill(service) else { return }
                kills += 1
                next = done + 19
            }
            #expect(kills == wanted)
            expectAllAccounted(report, plant)
        }

        @Test("I7 a process asleep keeps its topics: a second instance is refused, and the sleeper goes on")
        func sleepingProcess() async throws {
            let plant = try PlantUnderTest(["--rate", "40"])
            var asleep = 0
            let writers = ["inspector", "mes-bridge", "erp-bridge", "alerting", "camera-ingest"]
            let report = try await plant.finish { done in
                guard done >= 20 + asleep * 30 else { return }
                guard asleep < writers.count else { return plant.end() }
                let service = writers[asleep]
                #expect(plant.signal(service, SIGSTOP))
                // On other ports, so that only the log is in its way.
                let second = try PlantUnderTest.run(
                    "/usr/bin/env",
                    [
                        "LINELEDGER_HTTP=\(try plant.basePort() + 2_000)", "\(PlantUnderTest.binaries)/\(service)",
                        "--plant", "\(plant.directory)/plant.yaml",
                    ]
                )
                #expect(second.code == 3)
                #expect(second.said.contains("another instance of it writes this log"), "\(second.said)")
                #expect(plant.signal(service, SIGCONT))
                asleep += 1
            }
            #expect(asleep == writers.count)
            expectAllAccounted(report, plant)
        }

        @Test("I7 a sleeper's partition taken over on Kafka: what it still wants to write is void, and it gives way")
        func wokenSleeper() async throws {
            let plant = try PlantUnderTest(["--rate", "15", "--log", "kafka"])
            var takenOverAt = 0
            var awakeAt: Int?
            var second: Process?
            defer { second?.terminate() }
            let report = try await plant.finish { done in
                if second == nil, done >= 30 {
                    #expect(plant.signal("inspector", SIGSTOP))
                    second = try PlantUnderTest.start(
                        "inspector",
                        ["--plant", "\(plant.directory)/plant.yaml"],
                        ["LINELEDGER_HTTP": "\(try plant.basePort() + 2_000)"]
                    )
                    takenOverAt = done
                } else if second != nil, awakeAt == nil, done >= takenOverAt + 40 {
                    // So many came after all that the sleeper had decided: the second instance judges.
                    awakeAt = done
                    #expect(plant.signal("inspector", SIGCONT))
                } else if let awakeAt, done >= awakeAt + 40 {
                    plant.end()
                }
            }
            #expect(awakeAt != nil)
            expectAllAccounted(report, plant)
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
                let plant = try PlantUnderTest(["--rate", "15"], in: disk)
                let ballast = "\(disk)/ballast"
                var filledAt: Int?
                let report = try await plant.finish { done in
                    if let filledAt {
                        if done >= filledAt + 60 { plant.end() }
                    } else if done >= 10 {
                        filledAt = done
                        _ = try PlantUnderTest.run("/usr/bin/env", ["dd", "if=/dev/zero", "of=\(ballast)", "bs=4k"])
                        try plant.wait { try plant.recordsWaiting() > 10 }
                        try FileManager.default.removeItem(atPath: ballast)
                    }
                }
                #expect(filledAt != nil)
                expectAllAccounted(report, plant)
            }
            _ = try PlantUnderTest.run("/usr/bin/env", ["umount", "-l", disk])
        }

        @Test("REL-01 .. REL-04 the broker hangs for a while: verdicts wait in memory, then all of it arrives in order")
        func hangingBroker() async throws {
            let plant = try PlantUnderTest(["--rate", "40", "--log", "kafka"])
            var hungAt: Int?
            let report = try await plant.finish { done in
                if let hungAt {
                    if done >= hungAt + 200 { plant.end() }
                } else if done >= 10 {
                    hungAt = done
                    try plant.signalBroker(SIGSTOP)
                    try plant.wait { try plant.recordsWaiting() > 0 }
                    try plant.signalBroker(SIGCONT)
                }
            }
            #expect(hungAt != nil)
            expectAllAccounted(report, plant)
        }

        @Test("I7, I8 one bit flipped in any file of a plant: it is named, or the log still says the same")
        func flippedBits() async throws {
            let plant = try PlantUnderTest(["--parts", "40"])
            _ = try await plant.finish()
            let sound = try Self.questions(plant, "sound")
            #expect(sound.codes == [0, 0], "\(sound.said)")
            var random = SplitMix64(seed: 7)
            var named = 0
            for file in try Self.keptFiles(in: plant.directory) {
                let before = try Data(contentsOf: URL(fileURLWithPath: file))
                var after = before
                after[Int(random.next() % UInt64(after.count))] ^= UInt8(1 << (random.next() % 8))
                try after.write(to: URL(fileURLWithPath: file))
                let answer = try Self.questions(plant, "flipped")
                // A digest that differs goes with an exit code that says so; a program never breaks down over it.
                #expect(answer.codes.allSatisfy { (0...3).contains($0) }, "\(file): \(answer.said)")
                if answer.codes == [0, 0] { #expect(answer.digest == sound.digest, "\(file)") } else { named += 1 }
                try before.write(to: URL(fileURLWithPath: file))
            }
            for topic in ["frames", "inspections", "production", "erp-deliveries"] {
                let file = "\(plant.directory)/log/lineledger.berlin.\(topic).log.db"
                try FileManager.default.moveItem(atPath: file, toPath: "\(file).away")
                let answer = try Self.questions(plant, "removed")
                #expect(answer.codes[0] == 1 && answer.said.contains("lineledger.berlin.\(topic): its file is gone"))
                try FileManager.default.moveItem(atPath: "\(file).away", toPath: file)
            }
            #expect(named >= 3)
            #expect(try Self.questions(plant, "again").codes == [0, 0])
        }

        /// What `verify` and `rebuild` say of the plant.
        private static func questions(
            _ plant: PlantUnderTest,
            _ name: String
        ) throws -> (codes: [Int32], digest: String, said: String) {
            let path = "\(plant.directory)/plant.yaml"
            let rebuilt = "\(plant.directory)/\(name).sqlite"
            let verify = try PlantUnderTest.run("lineledger", ["verify", "--plant", path])
            let rebuild = try PlantUnderTest.run(
                "lineledger",
                ["rebuild", "--plant", path, "--into", rebuilt, "--json"]
            )
            for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: rebuilt + suffix) {
                try FileManager.default.removeItem(atPath: rebuilt + suffix)
            }
            let digest = rebuild.said.firstMatch(of: /"digest_rebuilt":"([0-9a-f]+)"/).map { String($0.1) } ?? ""
            return ([verify.code, rebuild.code], digest, "\(verify.said)\n\(rebuild.said)")
        }

        /// Log, read model and own files of the services, and a few pictures.
        private static func keptFiles(in directory: String) throws -> [String] {
            var files: [String] = []
            for folder in ["log", "state/read-model", "state/snapshots", "state/evidence"] {
                let names = FileManager.default.enumerator(atPath: "\(directory)/\(folder)")?.allObjects ?? []
                let paths = names.compactMap { $0 as? String }.sorted().map { "\(directory)/\(folder)/\($0)" }
                let kept = try paths.filter {
                    let attributes = try FileManager.default.attributesOfItem(atPath: $0)
                    return attributes[.type] as? FileAttributeType == .typeRegular
                        && (attributes[.size] as? Int ?? 0) > 0 && !$0.hasSuffix("-shm")
                }
                files += kept.prefix(folder.hasSuffix("evidence") ? 3 : kept.count)
            }
            return files
        }
    }
}
