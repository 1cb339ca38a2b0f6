import EventLog
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Metrics
import NIOCore
import PlantCore
import PlantEvents
import ReadModel
import ServiceLifecycle
import ServiceRuntime
import Uplink

/// A station host's uplink as a service: both mirrors, what people and alerting want to know of them, nothing else.
///
/// It reads the host's log as any other reader does; the services that write there do not know of it.
actor UplinkService: Service {
    /// What `/v1/uplink` answers.
    private struct Report: Encodable {
        let site: String
        let to: String
        let up: MirrorStatus
        let down: MirrorStatus
        /// Hours until the log's disk is full; nil while it does not grow or is not known.
        let hoursUntilFull: Double?
        let freeBytes: Int64
    }

    private static let observeEvery = Duration.seconds(2)

    private let context: ServiceContext
    private let address: String
    private let remote: any EventLog
    private let up: Mirror
    private let down: Mirror
    private var latest: (up: MirrorStatus, down: MirrorStatus)
    private var runway = Runway()
    private let gauges: UplinkGauges
    private var notedAtUs: Int64 = 0

    static func compose(_ context: ServiceContext) async throws -> Composition {
        guard let uplink = context.plant.uplink else {
            throw ServiceProgram.Stop.wrongUse(
                "the plant file has no uplink: section; give it one with to:, up:, down:"
            )
        }
        let service = try UplinkService(context, uplink)
        return Composition(
            [service],
            checks: [HealthCheck("mirror") { await service.health() }],
            routes: { router in
                router.get("/v1/uplink") { _, _ in
                    Response(
                        status: .ok,
                        headers: [.contentType: "application/json", .cacheControl: "no-store"],
                        body: ResponseBody(byteBuffer: ByteBuffer(bytes: try await service.report()))
                    )
                }
            }
        )
    }

    private init(_ context: ServiceContext, _ uplink: PlantFile.Uplink) throws {
        self.context = context
        address = uplink.to
        remote = try context.plant.connectLog(as: context.service, at: uplink.to, environment: context.environment)
        let logger = context.logger
        var settings = Mirror.Settings()
        settings.report = { place, reason in
            logger.error(
                "partition is not mirrored any more",
                metadata: .of([.topic: "\(place.topic)", .partition: "\(place.partition)", .reason: "\(reason)"])
            )
        }
        let site = context.plant.site
        func names(_ words: [String]) -> [String] {
            words.compactMap { TopicName(site: site, word: $0)?.description }
        }
        let (here, there, nowUs) = (context.log, remote, context.nowUs)
        up = Mirror(from: here, to: there, topics: names(uplink.up), settings: settings, nowUs: nowUs)
        down = Mirror(from: there, to: here, topics: names(uplink.down), settings: settings, nowUs: nowUs)
        let empty = MirrorStatus(atUs: context.nowUs(), partitions: [])
        latest = (empty, empty)
        gauges = UplinkGauges()
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.up.run() }
                group.addTask { await self.down.run() }
                group.addTask { await self.observeForever() }
                await group.waitForAll()
            }
        }
        await remote.close()
    }

    private func observeForever() async {
        while !Task.isCancelled {
            latest = (await up.status(), await down.status())
            gauges.record(latest.up, "up")
            gauges.record(latest.down, "down")
            let nowUs = context.nowUs()
            do {
                if let disk = try LogDisk(log: context.plant.log) {
                    runway.note(usedBytes: disk.logBytes, freeBytes: disk.freeBytes, atUs: nowUs)
                    gauges.record(runway, disk)
                }
                if nowUs - notedAtUs >= UplinkNote.everyUs {
                    try UplinkNote(atUs: nowUs, stopped: stopped).write(state: context.plant.state)
                    notedAtUs = nowUs
                }
            } catch {
                context.logger.error("disk not looked at or note not written", metadata: .of([.reason: "\(error)"]))
            }
            // Cancelled, it ends with the loop.
            try? await Task.sleep(for: Self.observeEvery)
        }
    }

    private var stopped: [String: String] {
        var stopped: [String: String] = [:]
        for (way, status) in [("up", latest.up), ("down", latest.down)] {
            for partition in status.stopped {
                stopped["\(way) \(partition.topic)/\(partition.partition)"] = partition.reason
            }
        }
        return stopped
    }

    private func health() -> HealthCheck.State {
        if let first = stopped.min(by: { $0.key < $1.key }) { return .failing("\(first.key): \(first.value)") }
        for status in [latest.up, latest.down] {
            guard let sinceUs = status.targetAwaySinceUs else { continue }
            let reason = status.partitions.first { $0.targetAwaySinceUs != nil }?.reason ?? ""
            return .failing("away for \((context.nowUs() - sinceUs) / 1_000_000) s: \(reason)")
        }
        return .ok
    }

    private func report() throws -> [UInt8] {
        var hours: Double?
        if case .hours(let value) = runway.estimate { hours = value }
        return try Queries.json(
            Report(
                site: context.plant.site,
                to: address,
                up: latest.up,
                down: latest.down,
                hoursUntilFull: hours,
                freeBytes: runway.freeBytes
            )
        )
    }
}

/// The uplink's metrics; labels are bounded by the partitions mirrored.
private struct UplinkGauges {
    func record(_ status: MirrorStatus, _ way: String) {
        for partition in status.partitions {
            let labels = [
                ("direction", way), ("topic", partition.topic), ("partition", "\(partition.partition)"),
            ]
            gauge("lineledger_uplink_unsent_records", labels, Double(partition.unsentRecords))
            gauge("lineledger_uplink_unsent_bytes", labels, Double(partition.unsentBytesEstimated))
            gauge("lineledger_uplink_sent_records", labels, Double(partition.sentRecords))
            gauge("lineledger_uplink_gaps", labels, Double(partition.gapCount))
        }
        let labels = [("direction", way)]
        gauge("lineledger_uplink_records_per_second", labels, status.recordsPerSecond)
        gauge("lineledger_uplink_stopped_partitions", labels, Double(status.stopped.count))
        let awayUs = status.targetAwaySinceUs.map { status.atUs - $0 } ?? 0
        gauge("lineledger_uplink_away_seconds", labels, Double(awayUs) / 1e6)
    }

    func record(_ runway: Runway, _ disk: LogDisk) {
        gauge("lineledger_spool_bytes", [], Double(disk.logBytes))
        gauge("lineledger_spool_free_bytes", [], Double(disk.freeBytes))
        // Prometheus' own infinity: a disk that does not fill lasts for ever.
        if case .hours(let hours) = runway.estimate { gauge("lineledger_spool_hours_until_full", [], hours) }
        if case .notGrowing = runway.estimate { gauge("lineledger_spool_hours_until_full", [], .infinity) }
    }

    private func gauge(_ label: String, _ labels: [(String, String)], _ value: Double) {
        Gauge(label: label, dimensions: labels).record(value)
    }
}
