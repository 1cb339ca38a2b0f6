// swift-tools-version: 6.2
import PackageDescription

/// The house's compiler settings: Swift 6 mode, every warning an error, explicit imports (Shared/decisions/0001).
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let nio = ["NIOCore", "NIOHTTP1", "NIOPosix"].map { Target.Dependency.product(name: $0, package: "swift-nio") }
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")

func shared(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Shared/\(name)", exclude: exclude, swiftSettings: house)
}

func library(_ name: String, _ package: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Shared/\(name)", pkgConfig: package, providers: [.apt([apt])])
}

func service(
    _ name: String,
    _ dependencies: [Target.Dependency],
    exclude: [String] = [],
    resources: [Resource] = []
) -> Target {
    .executableTarget(
        name: name,
        dependencies: dependencies + [
            arguments, logging, metrics, lifecycle, protobuf, "ServiceRuntime", "PlantCore", "PlantEvents", "EventLog",
        ],
        path: "Services/\(name)",
        exclude: exclude,
        resources: resources,
        swiftSettings: house
    )
}

/// A bridge's connector to one system: a library of its own, so that tests reach it.
func connector(_ name: String, _ path: String) -> Target {
    .target(
        name: name,
        dependencies: ["PlantEvents", "ServiceRuntime", protobuf],
        path: path,
        exclude: ["openapi.yaml"],
        swiftSettings: house
    )
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: ["SeededRandom"] + dependencies, path: "Tests/\(name)", swiftSettings: house)
}

let package = Package(
    name: "LineLedger",
    products: [],
    dependencies: [
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    ],
    targets: [
        library("CSQLite", "sqlite3", apt: "libsqlite3-dev"),
        library("CRdKafka", "rdkafka", apt: "librdkafka-dev"),
        library("CProtobufC", "libprotobuf-c", apt: "libprotobuf-c-dev"),
        library("CTurboJPEG", "libturbojpeg", apt: "libturbojpeg0-dev"),
        library("CPng", "libpng", apt: "libpng-dev"),

        shared("SeededRandom", []),
        shared("PlantEvents", [protobuf]),
        shared("PlantCore", ["PlantEvents", protobuf]),
        shared("SQLite", ["CSQLite"]),
        shared("EventLog", ["PlantEvents", "SQLite", protobuf]),
        shared("KafkaLog", ["EventLog", "PlantEvents", "CRdKafka"]),
        .target(name: "CNeural", path: "Shared/CNeural"),
        .target(name: "CPixels", path: "Shared/CPixels"),
        .target(name: "CZXing", path: "Shared/CZXing", linkerSettings: [.linkedLibrary("ZXing")]),
        shared("Vision", ["SeededRandom", "CTurboJPEG", "CPng", "CNeural", "CPixels", "CZXing", yams, crypto]),
        shared("Evidence", ["Vision", crypto]),
        .target(
            name: "CPlantEvents",
            dependencies: ["CProtobufC"],
            path: "Shared/CPlantEvents",
            exclude: ["hot.proto"]
        ),
        shared("ReadModel", ["SeededRandom", "PlantEvents", "CPlantEvents", "EventLog", "SQLite", crypto, protobuf]),
        shared(
            "ServiceRuntime",
            [
                "PlantEvents", "PlantCore", "EventLog", "KafkaLog", "SQLite", "Vision", "Evidence", yams, logging,
                metrics, lifecycle, unixSignals, hummingbird, httpTypes, httpClient, crypto, protobuf, arguments,
            ] + nio
        ),
        shared("Uplink", ["EventLog", "PlantEvents", "SQLite", protobuf]),
        shared(
            "PlantSim",
            ["SeededRandom", "Vision", "SQLite", hummingbird, httpTypes, lifecycle, logging] + nio,
            exclude: ["Simulation"]
        ),
        .target(
            name: "Simulation",
            dependencies: [
                "SeededRandom", "PlantCore", "PlantEvents", "EventLog", "ReadModel", "SQLite", protobuf,
            ],
            path: "Shared/PlantSim/Simulation",
            swiftSettings: house
        ),

        .target(name: "CAravis", path: "Shared/CAravis"),
        library("CV4L", "libv4l2", apt: "libv4l-dev"),
        shared("Cameras", ["CV4L", "CAravis", "Vision", "PlantCore", "PlantSim", "ServiceRuntime"]),
        service("camera-ingest", ["Cameras", "Vision", "Evidence", "SQLite"]),
        service("inspector", ["Vision", "Evidence"]),
        connector("MesRest", "Services/mes-bridge/Rest"),
        connector("ErpRest", "Services/erp-bridge/Rest"),
        service("mes-bridge", ["MesRest"], exclude: ["Rest"]),
        service("erp-bridge", ["ErpRest"], exclude: ["Rest"]),
        service("traceability-projector", ["ReadModel", hummingbird, httpTypes] + nio),
        service("alerting", ["SQLite"]),
        service(
            "console",
            ["Vision", "Evidence", hummingbird, httpClient, httpTypes] + nio,
            resources: [.embedInCode("Page")]
        ),
        service(
            "lineledger",
            [
                "SeededRandom", "KafkaLog", "SQLite", "Vision", "Cameras", "Evidence", "ReadModel", "PlantSim",
                "Simulation", "Uplink",
                unixSignals, httpClient,
            ] + nio
        ),

        .executableTarget(
            name: "log-writer-probe",
            dependencies: ["EventLog"],
            path: "Tests/Fixtures/LogWriterProbe",
            swiftSettings: house
        ),
        tests("TidyTests", []),
        tests("EndToEndTests", []),
        tests("EventTests", ["PlantEvents", protobuf]),
        tests("PlantCoreTests", ["PlantCore", "PlantEvents", protobuf]),
        tests(
            "ContractTests",
            ["EventLog", "KafkaLog", "PlantEvents", "SQLite", "CSQLite", protobuf, "log-writer-probe"]
        ),
        tests("CamerasTests", ["Cameras", "CV4L", "ServiceRuntime", "Vision"]),
        tests("VisionTests", ["Vision", "CPixels", "Evidence", crypto]),
        tests(
            "ReadModelTests",
            ["ReadModel", "CPlantEvents", "EventLog", "PlantEvents", "SQLite", "CSQLite", protobuf]
        ),
        tests(
            "ServiceRuntimeTests",
            [
                "ServiceRuntime", "ReadModel", "EventLog", "KafkaLog", "PlantCore", "PlantEvents", logging, metrics,
                lifecycle, hummingbird, httpTypes, protobuf,
            ] + nio
        ),
        tests(
            "ConsoleTests",
            [
                "console", "Evidence", "Vision", "ServiceRuntime", "EventLog", "PlantCore", "PlantEvents", hummingbird,
                httpClient, lifecycle, logging, protobuf,
            ] + nio
        ),
        tests("CameraIngestTests", ["camera-ingest", "EventLog", "PlantCore", "PlantEvents", protobuf]),
        tests("UplinkTests", ["Uplink", "EventLog", "KafkaLog", "PlantEvents", protobuf]),
        tests("SimulationTests", ["Simulation", "PlantCore", "PlantEvents", "EventLog", "ReadModel", protobuf]),
        tests("PlantSimTests", ["PlantSim", "Vision"]),
        tests(
            "ConnectorTests",
            [
                "PlantSim", "MesRest", "ErpRest", "ServiceRuntime", "PlantEvents", logging, lifecycle, httpClient,
                hummingbird, httpTypes, protobuf,
            ] + nio
        ),
    ]
)
