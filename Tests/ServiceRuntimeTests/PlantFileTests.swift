import Foundation
import ServiceRuntime
import Testing

@Suite struct PlantFileTests {
    static let small = """
        enterprise: acme
        site: berlin
        area: assembly
        log: embedded:log
        state: state
        lines:
          - id: line-1
            stations:
              - id: vision-1
                camera: {kind: scene}
                recipe: recipes/a.yaml
        """

    private static func parse(_ yaml: String, environment: [String: String] = [:]) throws -> PlantFile {
        try PlantFile.parse(
            Array(yaml.utf8),
            path: "/plants/p.yaml",
            environment: environment,
            workingDirectory: "/work"
        )
    }

    /// The mistakes that `yaml` has, as they are shown.
    private static func mistakes(_ yaml: String, environment: [String: String] = [:]) -> [String] {
        do {
            _ = try parse(yaml, environment: environment)
            return []
        } catch let error as PlantFileError {
            return error.mistakes.map(\.description)
        } catch {
            return ["\(error)"]
        }
    }

    @Test func aSmallFileGivesThePlantAndItsDefaults() throws {
        let plant = try Self.parse(Self.small)
        #expect(
            plant
                == PlantFile(
                    enterprise: "acme",
                    site: "berlin",
                    area: "assembly",
                    log: "embedded:/plants/log",
                    state: "/plants/state",
                    lines: [
                        PlantFile.Line(
                            id: "line-1",
                            stations: [
                                PlantFile.Station(
                                    id: "vision-1",
                                    camera: .scene(seed: 1, defectRate: 0.05, size: 640),
                                    recipe: "/plants/recipes/a.yaml"
                                )
                            ]
                        )
                    ]
                )
        )
        #expect(plant.http == 8080)
        #expect(plant.port(of: .console) == 8080)
        #expect(plant.port(of: .alerting) == 8086)
        #expect(plant.port(of: .erpPeer) == 8092)
        #expect(Set(PlantProgram.allCases.map(\.portOffset)).count == PlantProgram.allCases.count)
    }

    @Test func threeMistakesAreReportedAtOnceWithTheirLines() {
        let yaml = Self.small
            .replacing("site: berlin", with: "site: b/erlin")
            .replacing("recipe: recipes/a.yaml", with: "recipe: a.yaml\n        rate: fast")
            .replacing("camera: {kind: scene}", with: "camera: {kind: scene, sede: 4}")
        #expect(
            Self.mistakes(yaml) == [
                "/plants/p.yaml:2: site: found \"b/erlin\"; expected a word of 1 to 64 letters a-z A-Z, digits, - and _, "
                    + "beginning with a letter or digit",
                "/plants/p.yaml:10: lines[0].stations[0].camera.sede: found an unknown key; expected one of kind, seed, "
                    + "defect_rate, size; did you mean seed?",
                "/plants/p.yaml:12: lines[0].stations[0].rate: found \"fast\"; expected parts a second, 0 for as fast as it "
                    + "goes: a number from 0.0 to 100000.0",
            ]
        )
    }

    @Test(arguments: [
        ("", ": found nothing"),
        ("# only a comment\n", ": found nothing"),
        ("- a\n- b\n", ":1: found a list of 2"),
        ("just words", ":1: found \"just words\""),
        ("a: 1\nb: [", "expected YAML"),
        ("site: a\nsite: b\n", ":1: found keys that stand here twice: site"),
        ("? [1, 2]\n: 3\n", ":1: found a list of 2 as a key"),
        ("--- \nsite: a\n---\nsite: b\n", "expected a single document"),
        (small + "\nmes: {kind: rest, url: 'http://h', token: s3cret}", "token_env: VARIABLE or token_file: PATH"),
        (small + "\nmes: {kind: rest, url: 'http://u:s3cret@h'}", "without user, password"),
        (small + "\nmes: {kind: soap, url: 'http://h'}", "mes.kind: found \"soap\"; expected rest"),
        (small + "\nmes: {kind: rest}", "mes.url: found nothing"),
        (small + "\nmes: {kind: rest, url: 'ftp://h'}", "mes.url"),
        (
            small + "\nmes: {kind: rest, url: 'http://h', token_env: A, token_file: b}",
            "one of token_env and token_file"
        ),
        (small + "\nlins: []", "did you mean lines?"),
        (small + "\n<<: {}", "<<: found an unknown key"),
        (small + "\nhttp: 65530", "http: found \"65530\"; expected the first of 13 free ports: a whole number from 1"),
        (small + "\npartitions: 0", "partitions: found \"0\""),
        (small + "\nalerting: {burst: {failures: 9, window: 3}}", "no more than window, which is 3"),
        (small + "\nevidence: {keep: some}", "evidence.keep: found \"some\"; expected all or fails or none"),
        (small + "\nevidence: {good_every: 10}", "evidence.good_every: found keep: all"),
        (small + "\nevidence: {retain: {fail: 2 years}}", "expected forever, while_room, or a time such as 30d"),
        (small + "\nevidence: {lossless: yes}", "expected true or false"),
        (small + "\nevidence: {budget_bytes: -1}", "evidence.budget_bytes"),
        (small + "\norders: [{order_id: A}]", "orders[0].target_quantity: found nothing"),
        (small + "\norders: [{order_id: A, line: l9}]", "found \"l9\"; expected a line of this plant: line-1"),
        (small + "\norders: {order_id: A}", "orders: found a mapping of 1; expected a list"),
        (small + "\nmes: {kind: rest, url: 'http://h'}\norders: [{order_id: A}]", "only in a plant without mes"),
        (small.replacing("kind: scene", with: "kind: eye"), "camera.kind: found \"eye\"; expected folder or scene"),
        (small.replacing("kind: scene", with: "kind: folder"), "camera.path: found nothing"),
        (small.replacing("{kind: scene}", with: "{kind: scene, defect_rate: .nan}"), "defect_rate: found \".nan\""),
        (small.replacing("{kind: scene}", with: "{seed: 1}"), "camera.kind: found nothing; expected one of folder"),
        (small.replacing("embedded:log", with: "kafka://h"), "log: found \"kafka://h\""),
        (small.replacing("embedded:log", with: "kafka://u:p@h:1"), "without user or password"),
        (small.replacing("  - id: line-1", with: "  - id: line-1\n    stations: []\n  - id: line-1"), "(line 7)"),
        (small.replacing("line-1", with: "''"), "lines[0].id: found nothing"),
        (small.replacing("recipes/a.yaml", with: "\"a\\0b\""), "a path of 1 to 1024 bytes"),
    ])
    func aMistakeSaysWhatIsExpected(yaml: String, part: String) {
        let mistakes = Self.mistakes(yaml)
        #expect(mistakes.contains { $0.contains(part) }, "\(mistakes)")
        #expect(mistakes.allSatisfy { $0.hasPrefix("/plants/p.yaml") && !$0.contains("s3cret") }, "\(mistakes)")
    }

    @Test func bytesThatAreNotTextAreAMistake() {
        #expect(throws: PlantFileError.self) {
            try PlantFile.parse([0xFF, 0xFE, 0x00], path: "p", environment: [:], workingDirectory: "/")
        }
    }

    @Test func theEnvironmentOverridesLogStateAndHTTP() throws {
        let environment = ["LINELEDGER_LOG": "embedded:l", "LINELEDGER_STATE": "s", "LINELEDGER_HTTP": "9000"]
        let plant = try Self.parse(Self.small, environment: environment)
        #expect([plant.log, plant.state, "\(plant.http)"] == ["embedded:/work/l", "/work/s", "9000"])
        #expect(try Self.parse(Self.small, environment: ["LINELEDGER_LOG": ""]).log == "embedded:/plants/log")
        #expect(
            Self.mistakes(Self.small, environment: ["LINELEDGER_HTTP": "x"]) == [
                "LINELEDGER_HTTP: http: found \"x\"; expected the first of 13 free ports: a whole number from 1 to 65523"
            ]
        )
    }

    @Test func moreMistakesThanTheLimitAreCounted() throws {
        let yaml = (0..<150).map { "key\($0): 1\n" }.joined()
        let error = #expect(throws: PlantFileError.self) { try Self.parse(yaml) }
        #expect(error?.mistakes.count == PlantFileError.limit)
        #expect(error?.unlisted == 150 + 6 - PlantFileError.limit)
        #expect(error?.description.hasSuffix("and 56 more mistakes") == true)
    }

    @Test func everyPlantOfTheRepositoryLoads() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../deploy/plants").standardizedFileURL
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "yaml" }
        #expect(files.count >= 2)
        for file in files {
            let plant = try PlantFile.load(path: file.path, environment: [:])
            #expect(plant.lines.first?.stations.first?.recipe.hasPrefix("/") == true)
            // A station host has its orders from the plant's log.
            #expect(plant.uplink != nil || (plant.mes == nil) != plant.orders.isEmpty)
        }
    }

    @Test func aFileThatCannotBeReadSaysWhy() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "plant-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let long = folder.appending(path: "long.yaml")
        try Data(repeating: UInt8(ascii: "#"), count: PlantFile.sizeLimit + 1).write(to: long)
        for (path, why) in [
            (folder.path, "is a folder"), (long.path, "longer than"), (folder.path + "/none.yaml", "no such file"),
        ] {
            let error = #expect(throws: PlantFileError.self) { try PlantFile.load(path: path, environment: [:]) }
            #expect(error?.description.contains(why) == true)
        }
    }

    @Test func aSecretIsReadFromItsPlaceAndNeverShown() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "secret-\(UUID().uuidString)")
        try Data(" s3cret\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(try SecretPlace.file(file.path).read(environment: [:]) == "s3cret")
        #expect(try SecretPlace.environment("T").read(environment: ["T": "s3cret"]) == "s3cret")
        #expect(throws: SecretError.self) { try SecretPlace.environment("T").read(environment: ["T": ""]) }
        #expect(throws: SecretError.self) { try SecretPlace.file(file.path + "x").read(environment: [:]) }
        try Data("\n".utf8).write(to: file)
        #expect(throws: SecretError.self) { try SecretPlace.file(file.path).read(environment: [:]) }
    }
}
