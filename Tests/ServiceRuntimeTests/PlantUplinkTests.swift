import Foundation
import ServiceRuntime
import Testing

@Suite struct PlantUplinkTests {
    private static func parse(_ uplink: String) throws -> PlantFile {
        try PlantFile.parse(
            Array((PlantFileTests.small + "\n" + uplink).utf8),
            path: "/plants/p.yaml",
            environment: [:],
            workingDirectory: "/work"
        )
    }

    @Test("M05: an uplink has its directions by default, and what it says otherwise")
    func directions() throws {
        #expect(try Self.parse("").uplink == nil)
        let plain = try Self.parse("uplink: {to: 'kafka://h:9092'}").uplink
        #expect(plain?.up == ["frames", "inspections", "alarms"])
        #expect(plain?.down == ["production", "materials", "decisions"])
        let own = try Self.parse("uplink: {to: 'embedded:plant', up: [frames, alarms], down: []}")
        #expect(own.uplink == .init(to: "embedded:/plants/plant", up: ["frames", "alarms"], down: []))
        #expect(try PlantFile.parse(Array(own.yaml().utf8), path: "/q/p.yaml", environment: [:]) == own)
        #expect(own.port(of: .uplink) == 8087)
    }

    @Test(arguments: [
        ("uplink: {}", "uplink.to: found nothing"),
        ("uplink: {to: 'memory:'}", "a log that others reach"),
        ("uplink: {to: 'kafka://h:1', up: [frames], down: [frames]}", "frames in up as well"),
        ("uplink: {to: 'kafka://h:1', up: ['a.b']}", "uplink.up[0]"),
        ("uplink: {to: 'kafka://h:1', dwon: []}", "did you mean down?"),
    ])
    func mistakes(_ uplink: String, _ expected: String) {
        #expect {
            _ = try Self.parse(uplink)
        } throws: { error in
            "\(error)".contains(expected)
        }
    }

    @Test("Services whose topics come down do not run on a station host")
    func programs() throws {
        let plant = try Self.parse("")
        let station = try Self.parse("uplink: {to: 'kafka://h:1'}")
        let alone = try Self.parse("uplink: {to: 'kafka://h:1', up: [frames, alarms], down: [production]}")
        func here(_ plant: PlantFile) -> Set<PlantProgram> {
            Set(PlantProgram.allCases.filter(plant.runsHere)).subtracting([.mesPeer, .erpPeer])
        }
        let stations: Set<PlantProgram> = [.cameraIngest, .inspector, .console, .traceabilityProjector]
        #expect(here(plant) == stations.union([.alerting, .mesBridge, .erpBridge]))
        #expect(here(station) == stations.union([.uplink, .alerting]))
        #expect(here(alone) == stations.union([.uplink, .alerting, .erpBridge]))
    }

    @Test("A station host's alarms have a partition of their own, the plant's have 0")
    func alarmPartition() throws {
        let yaml = PlantFileTests.small.replacing("recipe:", with: "partition: 2\n        recipe:") + "\npartitions: 4"
        func plant(_ more: String) throws -> PlantFile {
            try PlantFile.parse(Array((yaml + more).utf8), path: "/plants/p.yaml", environment: [:])
        }
        #expect(try plant("").alarmPartition == 0)
        #expect(try plant("\nuplink: {to: 'kafka://h:1'}").alarmPartition == 2)
    }

    @Test("REL-04: what the uplink says stands in its note; silence is told apart from a start")
    func notes() throws {
        let state = NSTemporaryDirectory() + "lineledger-note-\(UUID().uuidString)"
        #expect(UplinkNote.read(state: state) == nil)
        let note = UplinkNote(atUs: 1_000_000_000, stopped: ["up frames/1": "ahead"])
        try note.write(state: state)
        #expect(UplinkNote.read(state: state) == note)
        try FileManager.default.removeItem(atPath: state)
        let patience = 3 * UplinkNote.everyUs
        #expect(UplinkNote.stopped(note, nowUs: note.atUs + patience, sinceUs: 0) == note.stopped)
        #expect(UplinkNote.stopped(note, nowUs: note.atUs + patience + 1, sinceUs: 0).keys.sorted() == ["uplink"])
        #expect(UplinkNote.stopped(nil, nowUs: patience, sinceUs: 0).isEmpty, "it has only begun")
        #expect(UplinkNote.stopped(nil, nowUs: patience + 1, sinceUs: 0).keys.sorted() == ["uplink"])
    }

    @Test("An embedded log's bytes on disk are counted; another log has no disk here")
    func disk() throws {
        let folder = NSTemporaryDirectory() + "lineledger-disk-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(repeating: 1, count: 1 << 20).write(to: URL(fileURLWithPath: "\(folder)/a"))
        let disk = try #require(try LogDisk(log: "embedded:\(folder)"))
        #expect(disk.logBytes >= 1 << 20)
        #expect(disk.logBytes < 2 << 20)
        #expect(disk.freeBytes > 0)
        try FileManager.default.removeItem(atPath: folder)
        #expect(try LogDisk(log: "kafka://h:1") == nil)
        #expect(throws: (any Error).self) { try LogDisk(log: "embedded:\(folder)") }
    }
}
