package import PlantCore
import Vision

/// One plant as its YAML file describes it: where it is, what stands in it, whom it talks to.
///
/// All paths are absolute once loaded; in the file they are relative to the file itself. The values of secrets are not
/// in here, only where to read them.
package struct PlantFile: Equatable, Sendable {
    /// ISA-95 enterprise, site and area (IEC 62264-1, equipment hierarchy).
    package var enterprise: String
    package var site: String
    package var area: String
    /// The event log: `embedded:DIR`, `kafka://host:port,…` or `memory:`.
    package var log: String
    /// Folder for read models, snapshots, evidence and pixel rings.
    package var state: String
    /// Base port of the services' HTTP servers; each adds its own offset, see `port(of:)`.
    package var http: Int
    /// Partitions of each topic when it is created.
    package var partitions: Int
    package var lines: [Line]
    package var mes: Connector?
    package var erp: Connector?
    /// Orders of a plant without an MES; empty where there is one.
    package var orders: [Order]
    /// Shift that is in force while no MES says another.
    package var shift: String
    package var alerting: Alerting
    package var evidence: Evidence
    package var recipes: Recipes
    /// The plant's log, where this host runs on one of its own; nil where `log` is the plant's.
    package var uplink: Uplink?
    package var kafka: Kafka

    package init(
        enterprise: String,
        site: String,
        area: String,
        log: String,
        state: String,
        http: Int = 8080,
        partitions: Int = 1,
        lines: [Line],
        mes: Connector? = nil,
        erp: Connector? = nil,
        orders: [Order] = [],
        shift: String = "day",
        alerting: Alerting = Alerting(),
        evidence: Evidence = Evidence(),
        recipes: Recipes = Recipes(),
        uplink: Uplink? = nil,
        kafka: Kafka = Kafka()
    ) {
        self.enterprise = enterprise
        self.site = site
        self.area = area
        self.log = log
        self.state = state
        self.http = http
        self.partitions = partitions
        self.lines = lines
        self.mes = mes
        self.erp = erp
        self.orders = orders
        self.shift = shift
        self.alerting = alerting
        self.evidence = evidence
        self.recipes = recipes
        self.uplink = uplink
        self.kafka = kafka
    }

    /// A production line: ISA-95 work center.
    package struct Line: Equatable, Sendable {
        package var id: String
        package var stations: [Station]

        package init(id: String, stations: [Station]) {
            self.id = id
            self.stations = stations
        }
    }

    /// An inspection station: ISA-95 work unit. Its id is unique in the plant.
    package struct Station: Equatable, Sendable {
        package var id: String
        package var camera: Camera
        package var watch: Watch
        /// Triggers a second; 0 gives the next one as soon as the station is free.
        package var rate: Double
        /// Number of parts after which the station stops; nil for no end.
        package var parts: Int?
        package var io: StationIO
        /// Recipe file that is in force while no order names another.
        package var recipe: String
        /// Further recipe files; orders choose among them by recipe id.
        package var recipes: [String]
        /// The partition of `frames` and `inspections` that its records go to; nil where its id decides.
        package var partition: Int32?

        package init(
            id: String,
            camera: Camera,
            watch: Watch = Watch(),
            rate: Double = 0,
            parts: Int? = nil,
            io: StationIO = .null,
            recipe: String,
            recipes: [String] = [],
            partition: Int32? = nil
        ) {
            self.id = id
            self.camera = camera
            self.watch = watch
            self.rate = rate
            self.parts = parts
            self.io = io
            self.recipe = recipe
            self.recipes = recipes
            self.partition = partition
        }
    }

    /// How a station reaches its rejecter and sensors.
    package enum StationIO: String, CaseIterable, Sendable {
        /// No wiring: nothing is commanded, and the record of each rejected part says so.
        case null
    }

    /// A connection to the MES or the ERP.
    package struct Connector: Equatable, Sendable {
        package enum Kind: String, CaseIterable, Sendable {
            case rest
        }

        package var kind: Kind
        /// `http://` or `https://` address of the peer's API.
        package var url: String
        /// Where the bearer token is; nil where the peer wants none.
        package var token: SecretPlace?
        /// Longest wait for an answer, milliseconds.
        package var timeoutMs: Int
        /// Time between two questions for new messages, milliseconds.
        package var pollMs: Int

        package init(
            kind: Kind = .rest,
            url: String,
            token: SecretPlace? = nil,
            timeoutMs: Int = 2000,
            pollMs: Int = 200
        ) {
            self.kind = kind
            self.url = url
            self.token = token
            self.timeoutMs = timeoutMs
            self.pollMs = pollMs
        }
    }

    /// Order of a plant without an MES; the words are those of `ProductionContext`.
    package struct Order: Equatable, Sendable {
        package var orderID: String
        package var line: String
        package var sku: String
        package var batchID: String
        package var variant: String
        package var customerOrder: String
        package var targetQuantity: UInt64
        package var recipeID: String
        package var materialLots: [String]
        package var customerRequirements: [String]
        package var controlPlanRevision: String

        package init(
            orderID: String,
            line: String,
            sku: String,
            batchID: String,
            variant: String = "",
            customerOrder: String = "",
            targetQuantity: UInt64,
            recipeID: String,
            materialLots: [String] = [],
            customerRequirements: [String] = [],
            controlPlanRevision: String = ""
        ) {
            self.orderID = orderID
            self.line = line
            self.sku = sku
            self.batchID = batchID
            self.variant = variant
            self.customerOrder = customerOrder
            self.targetQuantity = targetQuantity
            self.recipeID = recipeID
            self.materialLots = materialLots
            self.customerRequirements = customerRequirements
            self.controlPlanRevision = controlPlanRevision
        }
    }

    package struct Alerting: Equatable, Sendable {
        /// A burst is at least this many failed parts …
        package var burstFailures: Int
        /// … among this many parts of one station, one after the other.
        package var burstWindow: Int
        /// A station that should run and says nothing for this long raises an alarm.
        package var silentAfterSeconds: Int

        package init(burstFailures: Int = 5, burstWindow: Int = 20, silentAfterSeconds: Int = 60) {
            self.burstFailures = burstFailures
            self.burstWindow = burstWindow
            self.silentAfterSeconds = silentAfterSeconds
        }
    }

    package struct Recipes: Equatable, Sendable {
        /// What may judge where nobody released a recipe for the product.
        package var approval: RecipeApproval
        /// Most bytes of submitted recipes, models and reports kept on this machine.
        package var budgetBytes: Int64
        /// Days from one review of an active recipe to the next (ML-04).
        package var reviewDays: Int

        package init(
            approval: RecipeApproval = .plantFile,
            budgetBytes: Int64 = 10_737_418_240,
            reviewDays: Int = 92
        ) {
            self.approval = approval
            self.budgetBytes = budgetBytes
            self.reviewDays = reviewDays
        }
    }
}
