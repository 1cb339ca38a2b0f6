import Foundation
import Testing

extension EndToEnd {
    /// What a user sees when something is wrong: one clear message, the right exit code, and everything else goes on.
    @Suite(.serialized) struct BadInputTests {
        @Test("An unreadable image is a named gap; the others get their verdicts")
        func unreadableImage() async throws {
            let folder = NSTemporaryDirectory() + "lineledger-images-\(UUID().uuidString)"
            for name in ["template", "test"] {
                try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
            }
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let header = Array("P5 64 64 255\n".utf8)
            let grey = [UInt8](repeating: 90, count: 64 * 64)
            for number in 1...6 {
                for name in ["template", "test"] {
                    try Data(header + grey).write(to: URL(fileURLWithPath: "\(folder)/\(name)/board-\(number).pgm"))
                }
            }
            try Data("not an image".utf8).write(to: URL(fileURLWithPath: "\(folder)/test/board-3.pgm"))
            let plant = try PlantUnderTest(["--images", folder])
            let report = try await plant.finish()
            expectAllAccounted(report, parts: 6, plant)
            #expect((report["verdicts"] as? [String: Int])?["missed"] == 1)
        }

        @Test("A plant file with three mistakes names all three with their lines and exits with 2")
        func threeMistakes() throws {
            let path = NSTemporaryDirectory() + "lineledger-plant-\(UUID().uuidString).yaml"
            defer { try? FileManager.default.removeItem(atPath: path) }
            let text = """
                enterprise: acme
                site: berlin
                area: assembly
                log: embeded:log
                state: state
                http: eighty
                lines:
                  - id: line-1
                    stations:
                      - id: vision-1
                        camera: {kind: scene, seed: 1, defect_rate: 7}
                        recipe: r.yaml
                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            for program in ["inspector", "camera-ingest", "mes-bridge"] {
                let (code, said) = try PlantUnderTest.run(program, ["--plant", path])
                #expect(code == 2)
                for place in [":4: log", ":6: http", ":11: "] { #expect(said.contains(place), "\(place) in:\n\(said)") }
            }
        }

        @Test("Wrong use says what is expected and exits with 2")
        func wrongUse() throws {
            #expect(try PlantUnderTest.run("lineledger", ["demo", "--parts", "none"]).code == 2)
            #expect(try PlantUnderTest.run("lineledger", ["trace"]).code == 2)
            #expect(try PlantUnderTest.run("lineledger", ["evaluate", "--images", "/nowhere"]).code == 2)
            let help = try PlantUnderTest.run("lineledger", ["demo", "--help"])
            #expect(help.code == 0 && help.said.contains("Example:"))
        }
    }
}
