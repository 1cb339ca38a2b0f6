import CPlantEvents
import EventLog
import PlantEvents
import ReadModel
import SwiftProtobuf
import Testing

/// What libprotobuf-c reads, and how much it may take for it.
@Suite struct HotPathTests {
    @Test("Reading ahead on other threads changes nothing in the model (M12)", arguments: 1...6)
    func readAheadIsTheSame(seed: UInt64) throws {
        let folder = try Folder()
        var plant = RandomPlant(seed: seed, isNoisy: true)
        let partitions = try plant.make(parts: 250)
        let alone = try ReadModel(path: folder.path("alone"), site: PartitionWriter.site)
        let ahead = try ReadModel(path: folder.path("ahead"), site: PartitionWriter.site)
        ahead.readAhead(threads: 1 + Int(seed % 3))
        let batch = partitions.flatMap { $0 }
        let expected = try alone.apply(batch, nowUs: 1)
        let found = try ahead.apply(batch, nowUs: 1)
        #expect(found.applied == expected.applied)
        #expect(found.parked == expected.parked)
        #expect(try ahead.tableDigests() == alone.tableDigests(), "seed \(seed)")
    }

    @Test("A batch that fails leaves the threads that read ahead ready for the next")
    func readAheadSurvivesAFailure() throws {
        let folder = try Folder()
        var plant = RandomPlant(seed: 3, isNoisy: false)
        let batch = try plant.make(parts: 300).flatMap { $0 }
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        model.readAhead(threads: 2)
        let other = try ReadModel(path: folder.path("n"), site: PartitionWriter.site)
        for slice in [batch[..<100], batch[100...], batch[...]] {
            _ = try model.apply(Array(slice), nowUs: 1)
            _ = try other.apply(Array(slice), nowUs: 1)
        }
        #expect(try model.tableDigests() == other.tableDigests())
    }

    @Test("A field added to a frequent event is asked for here: fold it, or add it to those that are passed over")
    func everyFieldOfAFrequentEventIsKnown() {
        let known: [(String, [String])] = [
            (
                "Meta",
                [
                    "origin", "record_id", "cause", "occurred_at_us", "recorded_at_us", "place_message", "subject",
                    "correlation_id", "actor", "producer_message", "traceparent", "must_understand",
                ]
            ),
            ("Origin", ["site", "topic", "partition", "epoch", "sequence"]),
            ("TriggerId", ["station", "session", "sequence"]),
            (
                "FrameCaptured",
                [
                    "trigger", "triggered_at_us", "device_time_us", "width", "height", "pixel_format", "pixels_sha256",
                    "source_name",
                ]
            ),
            (
                "EvidenceStored",
                ["trigger", "pixels_sha256", "stored_sha256", "lossless", "media_type", "stored_bytes"]
            ),
            (
                "PartInspected",
                [
                    "part_id", "trigger", "frame", "pixels_sha256", "context_message", "verdict", "score", "confidence",
                    "defects", "rejection_reason", "recipe_id", "recipe_sha256", "triggered_at_us", "decided_at_us",
                    "timings", "source_name", "scores",
                ]
            ),
            ("Defect", ["category", "x", "y", "width", "height", "area", "score", "tool", "severity"]),
            (
                "DeliveryIntended",
                [
                    "intent_id", "peer", "business_key", "lot_hold_message", "order_quality_status_message",
                    "order_yield", "quality_notification_message", "stock_block_message", "order_confirmation_message",
                ]
            ),
            ("DeliveryConfirmed", ["intent_id", "peer_reference", "found_by_look_up"]),
            (
                "PartsCounted",
                ["order_id", "sku", "batch_id", "accepted", "rejected", "uncertain", "missed", "is_completed"]
            ),
        ]
        for (message, fields) in known {
            var found: [String] = []
            while let name = plant_field_name(message, UInt32(found.count)) { found.append(String(cString: name)) }
            #expect(found == fields, "\(message)")
        }
    }

    @Test("What every encoder writes is read by libprotobuf-c itself; PartsCounted.is_completed too")
    func plainRecordsAreTaken() throws {
        var counted = PartsCounted()
        counted.orderID = "WO-1"
        counted.sku = "größe"
        counted.accepted = 7
        counted.isCompleted = true
        var writer = PartitionWriter(.erpDeliveries)
        try writer.write(DeliveryRecord.self, [.init(.partsCounted(counted))])
        for record in writer.records { #expect(try Self.isTaken(record.record.value, PLANT_DELIVERIES)) }
        var chains = SyntheticChains(seed: 5)
        let topics = [
            "frames": PLANT_FRAMES, "inspections": PLANT_INSPECTIONS, "production": PLANT_PRODUCTION,
            "materials": PLANT_MATERIALS, "mes-deliveries": PLANT_DELIVERIES, "erp-deliveries": PLANT_DELIVERIES,
            "alarms": PLANT_ALARMS, "decisions": PLANT_DECISIONS,
        ]
        for record in try chains.records(parts: 200) {
            let name = try #require(TopicName(record.place.topic))
            let topic = try #require(topics[name.topic])
            let value = record.record.value
            #expect(try Self.isTaken(value, topic))
            // A field from a newer writer is passed over; one that is written twice is left to the codec.
            #expect(try Self.isTaken(value + [0xf8, 0x7f, 1], topic))
            #expect(try !Self.isTaken(value + value, topic))
            #expect(try !Self.isTaken(value + [0x80, 0x00], topic))
        }
    }

    @Test("The worst record fits its share of the arena, and a smaller share is not exceeded")
    func arenaIsBounded() throws {
        let arena = try #require(plant_arena_new(64 << 10))
        defer { plant_arena_free(arena) }
        // Nothing but empty events, two bytes each.
        let worst = [UInt8](repeating: 0, count: LogLimits.recordBytes).indices.map { $0 % 2 == 0 ? UInt8(0x12) : 0 }
        var record = PlantRecord()
        let whole = 128 * LogLimits.recordBytes
        #expect(plant_record_read(arena, PLANT_FRAMES, worst, worst.count, whole, false, &record))
        #expect(record.event_count == worst.count / 2)
        #expect(plant_arena_bytes(arena) <= whole + whole / 2)
        plant_arena_reset(arena)
        #expect(plant_arena_bytes(arena) == 64 << 10)
        let share = 4 << 20
        #expect(!plant_record_read(arena, PLANT_FRAMES, worst, worst.count, share, false, &record))
        #expect(plant_arena_bytes(arena) <= share + (64 << 10))
    }

    @Test("A record of a hundred thousand events stops nothing; one beyond the size limit is parked")
    func hostileRecordIsFolded() throws {
        let folder = try Folder()
        var writer = PartitionWriter(.frames)
        try writer.takeOver(as: FrameRecord.self)
        let first = try #require(writer.records.first)
        let more = [UInt8](unsafeUninitializedCapacity: 200_000) { buffer, count in
            for index in buffer.indices { buffer[index] = index % 2 == 0 ? 0x12 : 0 }
            count = buffer.count
        }
        let model = try ReadModel(path: folder.path("m"), site: PartitionWriter.site)
        #expect(try model.apply([first.with(first.record.value + more)], nowUs: 1).unknown == 100_000)
        var tooLong = FrameRecord()
        tooLong.meta = try Codec.decode(FrameRecord.self, from: first.record.value).meta
        tooLong.meta.subject = String(repeating: "x", count: LogLimits.recordBytes)
        tooLong.events = [FrameRecord.Event()]
        let other = try ReadModel(path: folder.path("n"), site: PartitionWriter.site)
        let parked = try other.apply([first.with(try Codec.encode(tooLong))], nowUs: 1).parked
        #expect(parked.first?.reason.contains("expected at most \(LogLimits.recordBytes)") == true)
    }

    private static func isTaken(_ value: [UInt8], _ topic: PlantTopic) throws -> Bool {
        let arena = try #require(plant_arena_new(64 << 10))
        defer { plant_arena_free(arena) }
        var record = PlantRecord()
        return plant_record_read(arena, topic, value, value.count, 1 << 20, false, &record)
    }
}
