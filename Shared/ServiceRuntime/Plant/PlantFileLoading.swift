import Foundation
import PlantCore
import Yams

extension PlantFile {
    /// Longest plant file, bytes.
    package static let sizeLimit = 262_144
    package static let lineLimit = 64
    package static let stationLimit = 64
    package static let recipeLimit = 256
    package static let orderLimit = 1000
    package static let lotLimit = 64

    /// Reads the plant file at `path`. `LINELEDGER_LOG`, `LINELEDGER_STATE` and `LINELEDGER_HTTP` of `environment` take
    /// the place of its `log`, `state` and `http`; their relative paths begin at `workingDirectory`.
    /// - Throws: every mistake at once.
    package static func load(
        path: String,
        environment: [String: String],
        workingDirectory: String = FileManager.default.currentDirectoryPath
    ) throws(PlantFileError) -> PlantFile {
        let bytes: [UInt8]
        do {
            bytes = try BoundedFile.read(absolutePath(path, from: workingDirectory), limit: sizeLimit)
        } catch {
            let mistake = PlantMistake(
                source: path,
                key: "",
                found: error.why,
                expected: "a readable plant file of at most \(sizeLimit) bytes"
            )
            throw PlantFileError(path: path, mistakes: [mistake])
        }
        return try parse(bytes, path: path, environment: environment, workingDirectory: workingDirectory)
    }

    /// Reads the plant file whose bytes are `yaml`; `path` is where it stands.
    package static func parse(
        _ yaml: [UInt8],
        path: String,
        environment: [String: String],
        workingDirectory: String = FileManager.default.currentDirectoryPath
    ) throws(PlantFileError) -> PlantFile {
        let report = PlantReport(source: path)
        let file = absolutePath(path, from: workingDirectory)
        let folder = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? "/"
        guard let root = compose(yaml, report) else {
            throw PlantFileError(path: path, mistakes: report.mistakes)
        }
        var top = PlantSection(root, path: "", expected: "a mapping that begins with enterprise:", report: report)
        var plant = PlantFile(&top, folder: folder)
        top.finish()
        plant.override(by: environment, workingDirectory, report)
        guard report.mistakes.isEmpty else {
            let ordered = report.mistakes.enumerated().sorted {
                ($0.element.line ?? .max, $0.offset) < ($1.element.line ?? .max, $1.offset)
            }
            throw PlantFileError(path: path, mistakes: ordered.map(\.element))
        }
        return plant
    }

    private static func compose(_ yaml: [UInt8], _ report: PlantReport) -> Node? {
        let expected = "a YAML mapping that begins with enterprise:"
        guard let text = String(validating: yaml, as: UTF8.self) else {
            report.add(line: nil, key: "", found: "bytes that are not UTF-8", expected: expected)
            return nil
        }
        do {
            if let root = try Yams.compose(yaml: text) { return root }
            report.add(line: nil, key: "", found: "nothing", expected: expected)
        } catch let error as YamlError {
            let (line, problem) = error.place
            report.add(line: line, key: "", found: problem, expected: "YAML 1.1")
        } catch {
            report.add(line: nil, key: "", found: "\(error)", expected: "YAML 1.1")
        }
        return nil
    }

    private mutating func override(
        by environment: [String: String],
        _ workingDirectory: String,
        _ report: PlantReport
    ) {
        func read<Value>(_ name: String, _ key: String, _ kind: PlantValue<Value>) -> Value? {
            guard let text = environment[name], !text.isEmpty else { return nil }
            if let value = kind.parse(text) { return value }
            report.add(PlantMistake(source: name, key: key, found: quoted(text), expected: kind.expected))
            return nil
        }
        log = read("LINELEDGER_LOG", "log", .log(from: workingDirectory)) ?? log
        state = read("LINELEDGER_STATE", "state", .path(from: workingDirectory)) ?? state
        http = read("LINELEDGER_HTTP", "http", .basePort) ?? http
    }
}

extension YamlError {
    /// The line of the mistake and what it is, without the text of the file.
    fileprivate var place: (Int?, String) {
        switch self {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            (mark.line, [context?.text, problem].compactMap(\.self).joined(separator: " "))
        case .reader(let problem, _, _, _): (nil, problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            (context.mark.line, "keys that stand here twice: \(duplicates.sorted().joined(separator: ", "))")
        default: (nil, "\(self)")
        }
    }
}

extension PlantValue where Value == Int {
    fileprivate static let basePort = PlantValue.whole(
        1...(65535 - PlantProgram.highestOffset),
        "the first of \(PlantProgram.highestOffset + 1) free ports"
    )
}

extension PlantFile {
    fileprivate init(_ top: inout PlantSection, folder: String) {
        let partitions = top.optional("partitions", .whole(1...1024, "partitions of each topic")) ?? 1
        self.init(
            enterprise: top.required("enterprise", .identifier),
            site: top.required("site", .identifier),
            area: top.required("area", .identifier),
            log: top.required("log", .log(from: folder)),
            state: top.required("state", .path(from: folder)),
            http: top.optional("http", .basePort) ?? 8080,
            partitions: partitions,
            lines: Self.lines(&top, folder: folder, partitions: partitions),
            mes: Self.connector("mes", &top, folder: folder),
            erp: Self.connector("erp", &top, folder: folder),
            shift: top.optional("shift", .text) ?? "day",
            alerting: Self.alerting(&top),
            evidence: Self.evidence(&top),
            recipes: Self.recipes(&top),
            uplink: Self.uplink(&top, folder: folder),
            kafka: Kafka(&top, folder: folder)
        )
        orders = Self.orders(&top, lines: lines)
    }

    private static func lines(_ top: inout PlantSection, folder: String, partitions: Int) -> [Line] {
        var lineIDs = Unique(in: "lines")
        var stationIDs = Unique(in: "the plant's stations")
        return top.sections("lines", atMost: lineLimit, required: true, expected: "a line with id and stations")
            .map { section in
                var section = section
                let line = Line(
                    id: section.required("id", .identifier),
                    stations: section.sections(
                        "stations",
                        atMost: stationLimit,
                        required: true,
                        expected: "a station with id, camera and recipe"
                    ).map { station($0, folder: folder, partitions: partitions, &stationIDs) }
                )
                lineIDs.check(line.id, "id", section)
                section.finish()
                return line
            }
    }

    private static func station(
        _ section: PlantSection,
        folder: String,
        partitions: Int,
        _ ids: inout Unique
    ) -> Station {
        var section = section
        let last = Int32(clamping: partitions - 1)
        let station = Station(
            id: section.required("id", .identifier),
            camera: camera(&section, folder: folder),
            watch: watch(&section),
            rate: section.optional("rate", .number(0...100_000, "parts a second, 0 for as fast as it goes")) ?? 0,
            parts: section.optional("parts", .whole(1...Int.max, "parts after which the station stops")),
            io: section.optional("io", .word(.null)) ?? .null,
            recipe: section.required("recipe", .path(from: folder)),
            recipes: section.list("recipes", atMost: recipeLimit, .path(from: folder)),
            partition: section.optional("partition", .whole(0...last, "one of the plant's \(partitions) partitions"))
        )
        ids.check(station.id, "id", section)
        section.finish()
        return station
    }

    private static func connector(_ key: String, _ top: inout PlantSection, folder: String) -> Connector? {
        guard var section = top.section(key, expected: "a mapping with kind and url") else { return nil }
        var connector = Connector(
            kind: section.required("kind", .word(.rest)),
            url: section.required("url", .webAddress),
            timeoutMs: section.optional("timeout_ms", .whole(10...600_000, "milliseconds")) ?? 2000,
            pollMs: section.optional("poll_ms", .whole(10...3_600_000, "milliseconds")) ?? 200
        )
        let variable = section.optional("token_env", .environmentName)
        let file = section.optional("token_file", .path(from: folder))
        if variable != nil, file != nil {
            section.refuse("token_file", found: "token_env as well", expected: "one of token_env and token_file")
        }
        connector.token = variable.map(SecretPlace.environment) ?? file.map(SecretPlace.file)
        section.finish()
        return connector
    }

    private static func orders(_ top: inout PlantSection, lines: [Line]) -> [Order] {
        var ids = Unique(in: "orders")
        let sections = top.sections("orders", atMost: orderLimit, required: false, expected: "an order with order_id")
        if !sections.isEmpty, top.has("mes") {
            top.refuse(
                "orders",
                found: "orders and mes",
                expected: "orders only in a plant without mes: the MES gives them"
            )
        }
        return sections.map { section in
            var section = section
            let line: String?
            if lines.count == 1 {
                line = section.optional("line", .identifier) ?? lines.first?.id
            } else {
                line = section.required("line", .identifier)
            }
            let order = Order(
                orderID: section.required("order_id", .text),
                line: line ?? "",
                sku: section.required("sku", .text),
                batchID: section.required("batch", .text),
                variant: section.optional("variant", .text) ?? "",
                customerOrder: section.optional("customer_order", .text) ?? "",
                targetQuantity: section.required(
                    "target_quantity",
                    .whole(1...1_000_000_000_000, "pieces to make")
                ),
                recipeID: section.required("recipe", .text),
                materialLots: section.list("material_lots", atMost: lotLimit, .text),
                customerRequirements: section.list("customer_requirements", atMost: lotLimit, .text),
                controlPlanRevision: section.optional("control_plan", .text) ?? ""
            )
            ids.check(order.orderID, "order_id", section)
            if !order.line.isEmpty, !lines.isEmpty, !lines.contains(where: { $0.id == order.line }) {
                let known = lines.map(\.id).joined(separator: ", ")
                section.refuse("line", found: quoted(order.line), expected: "a line of this plant: \(known)")
            }
            section.finish()
            return order
        }
    }

    private static func alerting(_ top: inout PlantSection) -> Alerting {
        var alerting = Alerting()
        guard var section = top.section("alerting", expected: "a mapping") else { return alerting }
        alerting.silentAfterSeconds =
            section.optional("silent_after_seconds", .whole(1...604_800, "seconds")) ?? alerting.silentAfterSeconds
        if var burst = section.section("burst", expected: "a mapping with failures and window") {
            alerting.burstFailures = burst.required("failures", .whole(1...100_000, "failed parts"))
            alerting.burstWindow = burst.required("window", .whole(1...100_000, "parts that are looked at"))
            if burst.has("window"), alerting.burstFailures > alerting.burstWindow {
                burst.refuse(
                    "failures",
                    found: "\(alerting.burstFailures)",
                    expected: "no more than window, which is \(alerting.burstWindow)"
                )
            }
            burst.finish()
        }
        section.finish()
        return alerting
    }

    private static func recipes(_ top: inout PlantSection) -> Recipes {
        var recipes = Recipes()
        guard var section = top.section("recipes", expected: "a mapping") else { return recipes }
        recipes.approval = section.optional("approval", .word(.plantFile)) ?? recipes.approval
        recipes.budgetBytes =
            section.optional("budget_bytes", .whole(1_048_576...Int64.max, "bytes of recipes and models"))
            ?? recipes.budgetBytes
        recipes.reviewDays =
            section.optional("review_days", .whole(1...3_660, "days between two reviews")) ?? recipes.reviewDays
        section.finish()
        return recipes
    }
}

/// Finds ids that stand twice.
private struct Unique {
    private let place: String
    private var seen: [String: Int?] = [:]

    init(in place: String) {
        self.place = place
    }

    mutating func check(_ id: String, _ key: String, _ section: PlantSection) {
        guard !id.isEmpty else { return }
        if let first = seen[id] {
            let line = first.map { " (line \($0))" } ?? ""
            section.refuse(key, found: quoted(id), expected: "an id that stands once among \(place)\(line)")
        } else {
            seen[id] = section.line(of: key)
        }
    }
}
