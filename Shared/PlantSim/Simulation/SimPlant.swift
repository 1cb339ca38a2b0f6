import EventLog
import PlantCore
import PlantEvents
import SeededRandom
import SwiftProtobuf

/// The plant as it is, whatever anyone writes down about it: lines, orders, recipes and the parts that pass.
struct SimPlant {
    struct Order {
        let id: String
        let line: String
        let sku: String
        let batch: String
        /// As the MES sends it; empty for the station's default.
        let recipeID: String
        /// Content approved for the order; empty where the plant's own counts.
        let recipeSHA256: String
        let target: UInt64
        let lots: [String]
    }

    struct Station {
        let id: String
        let line: String
        /// Partition of `frames` and `inspections` that its line has.
        let partition: Int32
    }

    /// A part as it passes the camera.
    struct Item {
        /// Nil: the camera has no picture of it.
        let pixels: String?
        let name: String
    }

    static let site = "sim"
    static let defaultRecipe = "standard"
    static let recipes = ["standard", "fine"]
    static let shift = "2025-10-09/early"
    /// Why a part has no picture while its camera is gone.
    static let cameraGone = "the camera is gone"
    static let skus = (1...4).map { "SKU-\($0)" }
    /// Contents of each recipe; the first is the plant file's.
    static let revisions = 3
    /// Recipe of each content that can be had.
    static let contents: [String: String] = {
        var contents: [String: String] = [:]
        for recipe in recipes {
            for revision in 1...revisions { contents[sha256(of: recipe, revision: revision)] = recipe }
        }
        return contents
    }()
    static let categories = ["scratch", "short", "dent"]

    let seed: UInt64
    let itemsPerStation: Int
    let stations: [Station]
    let orders: [Order]
    let lots: [(line: String, id: String)]
    private let losesFrames: Bool
    private let repeatsFrames: Bool

    static var place: Place {
        .with {
            $0.enterprise = "acme"
            $0.site = site
            $0.area = "assembly"
        }
    }

    init(seed: UInt64, hours: Double, faults: FaultPlan, _ random: inout SplitMix64) {
        self.seed = seed
        losesFrames = faults.has(.frameLost)
        repeatsFrames = faults.has(.frameRepeated)
        // 240 parts an hour and station.
        itemsPerStation = max(4, Int((hours * 240).rounded()) - random.below(5))
        stations = [
            Station(id: "cam-11", line: "line-1", partition: 0),
            Station(id: "cam-12", line: "line-1", partition: 0),
            Station(id: "cam-21", line: "line-2", partition: 1),
        ]
        lots = [("line-1", "LOT-A"), ("line-1", "LOT-B"), ("line-2", "LOT-C")]
        var orders: [Order] = []
        for line in ["line-1", "line-2"] {
            let parts = itemsPerStation * stations.count { $0.line == line }
            for number in 1...4 {
                // Two orders may make one batch, and a batch may come back.
                let isReturning = number == 4 && random.once(in: 2)
                let batch = isReturning ? 1 : (number + 1) / (random.once(in: 2) ? 2 : 1)
                let recipe = random.pick(["", "standard", "fine", "fine", random.once(in: 4) ? "missing" : "standard"])
                let pin = random.below(4)
                let sha256: String =
                    switch pin {
                    case 0: Self.sha256(of: recipe.isEmpty ? Self.defaultRecipe : recipe)
                    case 1 where random.once(in: 6): SplitMix64.digest("another content", seed)
                    default: ""
                    }
                orders.append(
                    Order(
                        id: "WO-\(line.suffix(1))0\(number)",
                        line: line,
                        sku: "SKU-\(number)",
                        batch: random.once(in: 8) ? "" : "B-\(line.suffix(1))\(batch)",
                        recipeID: recipe,
                        recipeSHA256: sha256,
                        target: number == 4 ? 0 : UInt64(1 + random.below(max(1, parts / 4))),
                        lots: random.once(in: 2) ? ["LOT-\(number)"] : []
                    )
                )
            }
        }
        self.orders = orders
    }

    static func sha256(of recipe: String, revision: Int = 1) -> String {
        SplitMix64.digest("recipe/" + recipe, UInt64(revision))
    }

    func stations(of partition: Int32) -> [Station] { stations.filter { $0.partition == partition } }
    var lines: [String: String] { Dictionary(uniqueKeysWithValues: stations.map { ($0.id, $0.line) }) }

    func lines(of partition: Int32) -> [String: String] {
        Dictionary(uniqueKeysWithValues: stations(of: partition).map { ($0.id, $0.line) })
    }

    func item(_ station: String, _ index: UInt64) -> Item {
        let name = "\(station)#\(index)"
        let dice = SplitMix64.hash(name, seed)
        if losesFrames, dice % 8 == 0 { return Item(pixels: nil, name: name) }
        let same = repeatsFrames && dice % 9 == 0 && index > 0
        return Item(pixels: SplitMix64.digest("\(station)#\(same ? index - 1 : index)", seed), name: name)
    }

    // MARK: Recipes

    static func plan(of sha256: String) -> ReactionPlan {
        let dice = SplitMix64.hash(sha256, 7)
        return .with {
            $0.holdOnCategories = dice % 2 == 0 ? ["short"] : []
            $0.holdAfterFailures = UInt32(dice >> 8 & 1) * 2
            $0.holdWindow = UInt32(3 + dice >> 16 % 5)
            $0.rejectUncertain = dice >> 24 % 2 == 0
        }
    }

    static func controlPlan(of sha256: String) -> String { "CP-\(sha256.prefix(4))" }

    /// What the recipe's tools say of a picture: anyone can work it out again.
    static func judgement(of pixels: String, by sha256: String) -> InspectionCore.Judgement {
        let dice = SplitMix64.hash(pixels + sha256, 3)
        let verdict: Verdict = dice % 10 < 6 ? .pass : dice % 10 < 9 ? .fail : .uncertain
        let category = Self.categories[Int(dice >> 8 % 3)]
        return InspectionCore.Judgement(
            verdict: verdict,
            score: Double(dice >> 16 % 1_024) / 256,
            confidence: Double(dice >> 32 % 65) / 64,
            defects: verdict == .fail ? [.with { $0.category = category }] : [],
            rejectionReason: verdict == .fail ? category : "",
            timings: [],
            recipeSHA256: sha256
        )
    }

    // MARK: Topics

    static func topic(_ topic: Topic) -> String { TopicName(site: site, topic: topic).description }
    static func parked(_ service: String) -> String { TopicName(site: site, parkedBy: service).description }

    var places: [TopicPartition] {
        let both: [Int32] = [0, 1]
        return Topic.written.flatMap { topic in
            (topic == .frames || topic == .inspections ? both : [0]).map { TopicPartition(Self.topic(topic), $0) }
        }
            + Role.all.filter(\.parks).map { TopicPartition(Self.parked($0.service), $0.partition) }
    }

    func places(of topics: [Topic]) -> [TopicPartition] {
        let names = Set(topics.map(Self.topic))
        return places.filter { names.contains($0.topic) }
    }
}

/// A process that the plant needs, whichever instance fills it.
enum Role: Hashable {
    case capture(Int32), inspector(Int32), mesBridge, erpBridge, alerting, projector, console

    /// All but console, which runs only where people change recipes.
    static let all: [Role] = [
        .capture(0), .capture(1), .inspector(0), .inspector(1), .mesBridge, .erpBridge, .alerting, .projector,
    ]

    var service: String {
        switch self {
        case .capture: "camera-ingest"
        case .inspector: "inspector"
        case .mesBridge: "mes-bridge"
        case .erpBridge: "erp-bridge"
        case .alerting: "alerting"
        case .projector: "traceability-projector"
        case .console: "console"
        }
    }

    var partition: Int32 {
        switch self {
        case .capture(let partition), .inspector(let partition): partition
        case .mesBridge, .erpBridge, .alerting, .projector, .console: 0
        }
    }

    /// Which records its own readers park.
    var parks: Bool {
        switch self {
        case .capture, .console: false
        case .inspector, .mesBridge, .erpBridge, .alerting, .projector: true
        }
    }
    var isBridge: Bool { self == .mesBridge || self == .erpBridge }
    /// Several instances may follow each other on different hosts.
    var moves: Bool { self != .alerting && self != .projector && self != .console }

    var name: String {
        switch self {
        case .capture(let partition), .inspector(let partition): "\(service)-\(partition)"
        case .mesBridge, .erpBridge, .alerting, .projector, .console: service
        }
    }

    /// What it reads.
    var inputs: [Topic] {
        switch self {
        case .capture, .console: []
        case .inspector: [.frames, .production, .decisions]
        case .mesBridge, .erpBridge: [.inspections, .production]
        case .alerting: [.frames, .inspections, .mesDeliveries, .erpDeliveries]
        case .projector: Topic.written
        }
    }

    /// The places that it reads: an inspector only its own stations' frames.
    func places(in plant: SimPlant) -> [TopicPartition] {
        let all = plant.places(of: inputs)
        guard case .inspector(let partition) = self else { return all }
        return all.filter { $0.topic != SimPlant.topic(.frames) || $0.partition == partition }
    }
}
