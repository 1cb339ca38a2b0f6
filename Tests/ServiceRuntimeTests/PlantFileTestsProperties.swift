import PlantCore
import SeededRandom
import ServiceRuntime
import Testing

extension SplitMix64 {
    mutating func word() -> String {
        let letters = Array("abcXYZ019-_")
        let rest = (0..<Int.random(in: 0...8, using: &self)).map { _ in letters[Int.random(in: 0...10, using: &self)] }
        return "w" + String(rest)
    }

    /// Texts that YAML would read as something else if they were not quoted well.
    mutating func text() -> String {
        let awkward = [
            "true", "null", "~", "1e3", "0x1F", "- a", "a: b", "#x", "\"q\"", "it's", "back\\slash", "{a}", "[b]", "*c",
            "&d", "!e", "%f", "@g", "`h", " lead", "trail ", "naïve", "日本語", "🏭", "a # b", "---", "...", "<<", "=",
            "1_000",
        ]
        return awkward[Int.random(in: 0..<awkward.count, using: &self)] + (chance(0.5) ? word() : "")
    }

    mutating func texts() -> [String] {
        (0..<Int.random(in: 0...3, using: &self)).map { _ in text() }
    }

    mutating func path() -> String {
        "/" + text().replacing("...", with: "x") + "/" + word()
    }
}

@Suite struct PlantFileTestsProperties {
    private static func plant(_ random: inout SplitMix64) -> PlantFile {
        var plant = PlantFile(
            enterprise: random.word(),
            site: random.word(),
            area: random.word(),
            log: ["memory:", "kafka://h:9092,[::1]:1", "embedded:\(random.path())"].randomElement(using: &random) ?? "",
            state: random.path(),
            http: Int.random(in: 1...65523, using: &random),
            partitions: Int.random(in: 1...1024, using: &random),
            lines: (0...Int.random(in: 0...3, using: &random)).map { line in
                PlantFile.Line(
                    id: "\(random.word())-\(line)",
                    stations: (0...Int.random(in: 0...3, using: &random)).map { station(line, $0, &random) }
                )
            },
            shift: random.text()
        )
        if random.chance(0.5) { plant.erp = connector(&random) }
        if random.chance(0.5) {
            plant.mes = connector(&random)
        } else {
            let lines = plant.lines.map(\.id)
            plant.orders = (0..<Int.random(in: 0...3, using: &random)).map { order($0, lines, &random) }
        }
        plant.alerting.burstWindow = Int.random(in: 1...100, using: &random)
        plant.alerting.burstFailures = Int.random(in: 1...plant.alerting.burstWindow, using: &random)
        plant.alerting.silentAfterSeconds = Int.random(in: 1...1000, using: &random)
        plant.evidence = PlantFile.Evidence(
            keep: random.chance(0.5) ? .all : .fails,
            lossless: random.chance(0.5),
            jpegQuality: Int.random(in: 1...100, using: &random),
            processEverySeconds: random.chance(0.5) ? Int.random(in: 1...1_000, using: &random) : nil,
            pass: random.chance(0.5) ? .whileRoom : .seconds(Int64.random(in: 1...1_000_000, using: &random)),
            fail: random.chance(0.5) ? .forever : .seconds(2 * 365 * 86_400),
            budgetBytes: Int64.random(in: 1_048_576...Int64.max, using: &random)
        )
        plant.recipes = PlantFile.Recipes(
            approval: random.chance(0.5) ? .required : .plantFile,
            budgetBytes: Int64.random(in: 1_048_576...Int64.max, using: &random)
        )
        return plant
    }

    private static func station(_ line: Int, _ index: Int, _ random: inout SplitMix64) -> PlantFile.Station {
        PlantFile.Station(
            id: "\(random.word())-\(line)-\(index)",
            camera: random.chance(0.5)
                ? .folder(path: random.path(), loop: random.chance(0.5))
                : .scene(
                    seed: random.next(),
                    defectRate: Double.random(in: 0...1e-6, using: &random),
                    size: Int.random(in: 160...8192, using: &random)
                ),
            rate: random.chance(0.3) ? 0 : Double.random(in: 0...100_000, using: &random),
            parts: random.chance(0.5) ? nil : Int.random(in: 1...Int.max, using: &random),
            recipe: random.path(),
            recipes: (0..<Int.random(in: 0...2, using: &random)).map { _ in random.path() }
        )
    }

    private static func connector(_ random: inout SplitMix64) -> PlantFile.Connector {
        let tokens: [SecretPlace?] = [nil, .environment("TOKEN_1"), .file(random.path())]
        return PlantFile.Connector(
            url: "https://\(random.word()).example:8443/api",
            token: tokens[Int.random(in: 0...2, using: &random)],
            timeoutMs: Int.random(in: 10...600_000, using: &random),
            pollMs: Int.random(in: 10...3_600_000, using: &random)
        )
    }

    private static func order(_ index: Int, _ lines: [String], _ random: inout SplitMix64) -> PlantFile.Order {
        PlantFile.Order(
            orderID: "\(random.text())\(index)",
            line: lines.randomElement(using: &random) ?? "",
            sku: random.text(),
            batchID: random.text(),
            variant: random.chance(0.5) ? "" : random.text(),
            customerOrder: random.chance(0.5) ? "" : random.text(),
            targetQuantity: UInt64.random(in: 1...1_000_000_000_000, using: &random),
            recipeID: random.text(),
            materialLots: random.texts(),
            customerRequirements: random.texts(),
            controlPlanRevision: random.chance(0.5) ? "" : random.text()
        )
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func whatIsWrittenIsReadBack(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let plant = Self.plant(&random)
        let yaml = plant.yaml()
        let read = try PlantFile.parse(Array(yaml.utf8), path: "/x/p.yaml", environment: [:], workingDirectory: "/")
        #expect(read == plant, "seed \(seed)\n\(yaml)")
        #expect(read.yaml() == yaml, "seed \(seed)")
    }

    /// Damaged files end in a plant or in mistakes that say something, whatever the damage.
    @Test(arguments: 0..<400 as Range<UInt64>)
    func damagedFilesAreReadOrRefused(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var bytes = Array(Self.plant(&random).yaml().utf8)
        let spice = Array("{}[]:,-#&*!|>'\"%@`?~\n\t \u{0}\u{85}é<<".utf8)
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0...3, using: &random) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes.insert(spice[Int.random(in: 0..<spice.count, using: &random)], at: place)
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...40, using: &random)))
            default: bytes.insert(contentsOf: bytes[place...].prefix(60), at: place)
            }
            if bytes.isEmpty { bytes = [0x0A] }
        }
        do throws(PlantFileError) {
            let plant = try PlantFile.parse(bytes, path: "/x/p.yaml", environment: [:], workingDirectory: "/")
            #expect(!plant.lines.isEmpty)
        } catch {
            #expect(!error.mistakes.isEmpty)
            #expect(error.mistakes.allSatisfy { !$0.found.isEmpty && !$0.expected.isEmpty })
        }
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "&a [*a, ", "!!map {"])
    func deepNestingIsRefused(opening: String) {
        let yaml = String(repeating: opening, count: PlantFile.sizeLimit / opening.utf8.count)
        #expect(throws: PlantFileError.self) {
            try PlantFile.parse(Array(yaml.utf8), path: "p", environment: [:], workingDirectory: "/")
        }
    }

    @Test(arguments: ["[": "]", "{a: ": "}"].sorted { $0.key < $1.key }.map { [$0.key, $0.value] })
    func closedNestingIsRefused(pair: [String]) {
        for depth in [10, 500, 999, 20_000] {
            let yaml = "site: " + String(repeating: pair[0], count: depth) + String(repeating: pair[1], count: depth)
            #expect(throws: PlantFileError.self) {
                try PlantFile.parse(Array(yaml.utf8), path: "p", environment: [:], workingDirectory: "/")
            }
        }
    }

    /// Twenty aliases, each of ten of the one before: 10^20 nodes if they were unfolded.
    @Test func aliasesDoNotGrow() {
        var yaml = "a0: &a0 [x]\n"
        for level in 1...20 {
            let references = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            yaml += "a\(level): &a\(level) [\(references)]\n"
        }
        yaml += "lines: *a20\nstate: *a20\n"
        #expect(throws: PlantFileError.self) {
            try PlantFile.parse(Array(yaml.utf8), path: "p", environment: [:], workingDirectory: "/")
        }
    }
}
