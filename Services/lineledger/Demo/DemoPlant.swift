import Foundation
import PlantSim
import ServiceRuntime
import Vision

/// The demo's plant on disk: plant file, recipe, and what the simulated MES and ERP have planned.
struct DemoPlant {
    let directory: String
    let plant: PlantFile
    let input: DemoInput

    static let line = "line-1"
    /// Orders that a run of known length is divided into.
    private static let orders = 3
    private static let endlessOrderQuantity: UInt64 = 200

    var plantPath: String { "\(directory)/plant.yaml" }

    /// Empties the demo's folder and writes everything a run needs.
    init(
        directory: String,
        log: String?,
        httpBase: Int,
        rate: Double,
        evidence: PlantFile.Evidence,
        input make: (_ folder: String) throws -> DemoInput
    )
        throws
    {
        self.directory = directory
        try Self.empty(directory)
        let recipes = "\(directory)/recipes"
        try FileManager.default.createDirectory(atPath: recipes, withIntermediateDirectories: true)
        input = try make(recipes)
        plant = PlantFile(
            enterprise: "acme",
            site: "berlin",
            area: "assembly",
            log: log ?? "embedded:\(directory)/log",
            state: "\(directory)/state",
            http: httpBase,
            lines: [
                .init(
                    id: Self.line,
                    stations: [
                        .init(
                            id: DemoInput.station,
                            camera: input.camera,
                            rate: rate,
                            parts: input.parts,
                            recipe: input.recipePath
                        )
                    ]
                )
            ],
            mes: .init(url: "http://127.0.0.1:\(httpBase + PlantProgram.mesPeer.portOffset)", pollMs: 50),
            erp: .init(url: "http://127.0.0.1:\(httpBase + PlantProgram.erpPeer.portOffset)", pollMs: 50),
            evidence: evidence
        )
        try Data(plant.yaml().utf8).write(to: URL(fileURLWithPath: plantPath))
        try writeScenarios()
    }

    /// The simulated neighbours as programs to run.
    var peers: [Supervisor.Program] {
        [("mes", PlantProgram.mesPeer), ("erp", .erpPeer)].map { name, program in
            Supervisor.Program(
                name: program.rawValue,
                executable: "\(PlantPrograms.folder)/lineledger",
                arguments: [
                    "peer", name, "--scenario", "\(directory)/\(name).json", "--books",
                    "\(directory)/\(name)-books.sqlite",
                    "--port", "\(plant.port(of: program))",
                ],
                port: plant.port(of: program)
            )
        }
    }

    private func writeScenarios() throws {
        let count = input.parts == nil ? 100 : Self.orders
        let quantity = input.parts.map { UInt64(($0 + Self.orders - 1) / Self.orders) } ?? Self.endlessOrderQuantity
        let lots = (1...2).map { "ML-\($0)" }
        var mes = MesScenario(
            shift: "2026-11-21/early",
            materialLots: lots.map { .init(line: Self.line, materialLotID: $0, sku: "LAMINATE-\($0.last ?? "1")") },
            orders: []
        )
        var erp = ErpScenario(materialLots: [], customerOrders: [])
        for number in 1...count {
            var order = MesScenario.Order(
                line: Self.line,
                orderID: "WO-\(1000 + number)",
                sku: input.recipe.product,
                batchID: "B-\(1000 + number)",
                recipeID: input.recipe.id,
                targetQuantity: quantity
            )
            order.variant = number.isMultiple(of: 2) ? "lead-free" : "standard"
            order.customerOrder = "CO-\(500 + number)"
            order.recipeSHA256 = input.recipe.sha256
            order.materialLots = lots
            order.controlPlanRevision = input.recipe.controlPlan
            order.conditions = [.init(name: "oven_temperature", value: 245, unit: "CEL")]
            order.customerRequirements = ["IPC-A-600 class 2"]
            mes.orders.append(order)
            erp.customerOrders.append(
                .init(
                    orderID: order.orderID,
                    customerOrder: "CO-\(500 + number)",
                    customerID: "CUSTOMER-\(number % 3 + 1)"
                )
            )
        }
        for (number, lot) in lots.enumerated() {
            erp.materialLots.append(
                .init(
                    materialLotID: lot,
                    sku: "LAMINATE-\(number + 1)",
                    supplierID: "SUPPLIER-\(number + 1)",
                    supplierLot: "SL-\(77 + number)",
                    purchaseOrder: "PO-\(4500 + number)",
                    materialDocument: "MD-\(5000 + number)",
                    quantity: 10_000,
                    unit: "C62"
                )
            )
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(mes).write(to: URL(fileURLWithPath: "\(directory)/mes.json"))
        try encoder.encode(erp).write(to: URL(fileURLWithPath: "\(directory)/erp.json"))
    }

    /// Marks a folder as the demo's own, which it may empty.
    private static let marker = ".lineledger-demo"

    private static func empty(_ directory: String) throws {
        let files = FileManager.default
        if files.fileExists(atPath: directory) {
            let content = try files.contentsOfDirectory(atPath: directory)
            guard content.isEmpty || content.contains(marker) else {
                throw ServiceProgram.Stop.wrongUse(
                    "\(directory) holds something else than a demo; give another folder with --dir"
                )
            }
            try refuseIfRunning(directory)
            for name in content { try files.removeItem(atPath: "\(directory)/\(name)") }
        }
        try files.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: "\(directory)/\(marker)"))
    }

    private static func refuseIfRunning(_ directory: String) throws {
        let run = "\(directory)/state/run"
        for name in (try? FileManager.default.contentsOfDirectory(atPath: run)) ?? [] where name.hasSuffix(".pid") {
            let text = String(decoding: FileManager.default.contents(atPath: "\(run)/\(name)") ?? Data(), as: UTF8.self)
            guard let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)), kill(pid, 0) == 0 else {
                continue
            }
            let comm = FileManager.default.contents(atPath: "/proc/\(pid)/comm") ?? Data()
            guard !comm.isEmpty, name.hasPrefix(String(decoding: comm.prefix(8), as: UTF8.self)) else { continue }
            throw ServiceProgram.Stop.wrongUse(
                "a demo is running in \(directory) (\(name.dropLast(4)), pid \(pid)); stop it or give another --dir"
            )
        }
    }
}
