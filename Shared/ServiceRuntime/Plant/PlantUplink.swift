import PlantEvents

extension PlantFile {
    /// A station host's connection to the plant's log: it runs on its own log, and what it writes is mirrored up, what it
    /// needs from others down.
    package struct Uplink: Equatable, Sendable {
        /// The plant's log: `kafka://host:port,…` or `embedded:DIR`.
        package var to: String
        /// Topics that this host writes.
        package var up: [String]
        /// Topics that others write; the services that write them do not run here.
        package var down: [String]

        package init(
            to: String,
            up: [String] = Uplink.written,
            down: [String] = Uplink.read
        ) {
            self.to = to
            self.up = up
            self.down = down
        }

        package static let written = [Topic.frames, .inspections, .alarms].map(\.rawValue)
        package static let read = [Topic.production, .materials, .decisions].map(\.rawValue)
        static let topicLimit = 32
    }

    /// Whether `program` belongs on this host: not where its topic comes down from the plant, since one process writes a
    /// topic of a log.
    package func runsHere(_ program: PlantProgram) -> Bool {
        guard let uplink else { return program != .uplink }
        let topic: Topic? =
            switch program {
            case .mesBridge: .production
            case .erpBridge: .materials
            case .alerting: .alarms
            case .cameraIngest, .inspector, .console, .traceabilityProjector, .uplink, .mesPeer, .erpPeer: nil
            }
        return topic.map { !uplink.down.contains($0.rawValue) } ?? true
    }

    /// Whether this host's console records what people decide: not where the plant's decisions come down.
    package var writesDecisions: Bool { uplink?.down.contains(Topic.decisions.rawValue) != true }

    /// The partition of `alarms` that this host's alerting writes: on a station host its first station's, since the plant's
    /// alerting has 0.
    package var alarmPartition: Int32 {
        guard uplink != nil, let station = lines.first?.stations.first else { return 0 }
        return partition(of: station)
    }

    static func uplink(_ top: inout PlantSection, folder: String) -> Uplink? {
        guard var section = top.section("uplink", expected: "a mapping with to, up and down") else { return nil }
        var uplink = Uplink(to: section.required("to", .log(from: folder)))
        let (up, down) = (
            section.list("up", atMost: Uplink.topicLimit, .identifier),
            section.list("down", atMost: Uplink.topicLimit, .identifier)
        )
        if section.has("up") { uplink.up = up }
        if section.has("down") { uplink.down = down }
        let both = uplink.up.filter(uplink.down.contains)
        if !both.isEmpty {
            section.refuse(
                "down",
                found: "\(both.joined(separator: ", ")) in up as well",
                expected: "each topic in one of up and down: one process writes a topic"
            )
        }
        if uplink.to == "memory:" {
            let expected = "a log that others reach: kafka://host:port or embedded:DIR"
            section.refuse("to", found: "memory:", expected: expected)
        }
        section.finish()
        return uplink
    }
}
