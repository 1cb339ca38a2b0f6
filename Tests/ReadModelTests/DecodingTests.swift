import EventLog
import PlantEvents
import ReadModel
import SeededRandom
import SwiftProtobuf
import Testing

/// The hot path reads records in place; the codec defines what they mean.
@Suite struct DecodingTests {
    @Test(
        "Whatever bytes come, the model takes and leaves what the codec does, and reads the same from it",
        arguments: 1...4
    )
    func agreesWithTheCodec(seed: UInt64) throws {
        let folder = try Folder()
        var random = SplitMix64(seed: seed)
        var plant = RandomPlant(seed: seed, isNoisy: false)
        let records = try plant.make(parts: 60).flatMap { $0 }
        var taken = 0
        for number in 0..<200 {
            let original = random.pick(records)
            let value = mutate(original.record.value, &random)
            let direct = try ReadModel(path: folder.path("d\(number)"), site: PartitionWriter.site)
            let applied = try direct.apply([original.with(value)], nowUs: 1)
            guard let plain = canonical(value, original.place) else {
                #expect(applied.parked.count == 1, "seed \(seed), number \(number): \(value)")
                continue
            }
            let normalised = try ReadModel(path: folder.path("n\(number)"), site: PartitionWriter.site)
            let expected = try normalised.apply([original.with(plain)], nowUs: 1)
            #expect(applied.parked.count == expected.parked.count, "seed \(seed), number \(number): \(value)")
            #expect(
                try direct.tableDigests() == normalised.tableDigests(),
                "seed \(seed), number \(number): \(value)"
            )
            taken += applied.applied
        }
        #expect(taken > 10, "mutations must leave some records readable")
    }

    private func mutate(_ value: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var value = value
        for _ in 0...random.below(2) {
            let index = random.below(value.count)
            switch random.below(8) {
            case 0: value[index] = UInt8(truncatingIfNeeded: random.next())
            case 1: value[index] ^= 1 << UInt8(random.below(8))
            case 2: value.remove(at: index)
            case 3: value.insert(UInt8(truncatingIfNeeded: random.next()), at: index)
            // A field that is not known, and one twice.
            case 4: value += [0xf8, 0x7f, UInt8(random.below(128))]
            case 5: value += value.prefix(index)
            // Nested messages twice are merged, which reading in place must not get wrong.
            default: value = repeatField(value, &random)
            }
            if value.isEmpty { value = [0] }
        }
        return value
    }

    /// The message with one of its length-delimited fields, here or further down, written twice.
    private func repeatField(_ message: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var fields: [(tag: [UInt8], payload: [UInt8])] = []
        var rest = message[...]
        var others: [UInt8] = []
        while let tag = varint(&rest) {
            let start = rest
            switch tag.value & 7 {
            case 0: others += tag.bytes + (varint(&rest)?.bytes ?? [])
            case 1: others += tag.bytes + take(8, from: &rest)
            case 5: others += tag.bytes + take(4, from: &rest)
            case 2:
                guard let count = varint(&rest), count.value <= rest.count else { return message }
                fields.append((tag.bytes, take(Int(count.value), from: &rest)))
            default: return message
            }
            guard rest.count < start.count else { return message }
        }
        guard !fields.isEmpty else { return message }
        let chosen = random.below(fields.count)
        if random.chance(0.6) {
            fields[chosen].payload = repeatField(fields[chosen].payload, &random)
        } else {
            fields.append((fields[chosen].tag, random.chance(0.5) ? [] : fields[chosen].payload))
        }
        return others + fields.flatMap { $0.tag + encoded(UInt64($0.payload.count)) + $0.payload }
    }

    private func varint(_ rest: inout ArraySlice<UInt8>) -> (value: UInt64, bytes: [UInt8])? {
        var value: UInt64 = 0
        var bytes: [UInt8] = []
        while let byte = rest.popFirst(), bytes.count < 9 {
            value |= UInt64(byte & 0x7f) << UInt64(7 * bytes.count)
            bytes.append(byte)
            if byte < 0x80 { return (value, bytes) }
        }
        return nil
    }

    private func encoded(_ number: UInt64) -> [UInt8] {
        number < 0x80 ? [UInt8(number)] : [UInt8(number & 0x7f) | 0x80] + encoded(number >> 7)
    }

    private func take(_ count: Int, from rest: inout ArraySlice<UInt8>) -> [UInt8] {
        let taken = rest.prefix(count)
        rest = rest.dropFirst(count)
        return Array(taken)
    }

    /// What the codec makes of the bytes, encoded again; nil when it refuses them.
    private func canonical(_ value: [UInt8], _ place: TopicPartition) -> [UInt8]? {
        func plain<Record: TopicRecord>(_: Record.Type) -> [UInt8]? {
            guard (try? Codec.decode(Record.self, from: value)) != nil else { return nil }
            var options = BinaryDecodingOptions()
            options.discardUnknownFields = true
            return try? Record(serializedBytes: value, options: options).serializedBytes()
        }
        return switch TopicName(place.topic)?.topic {
        case "frames": plain(FrameRecord.self)
        case "inspections": plain(InspectionRecord.self)
        case "production": plain(ProductionRecord.self)
        case "materials": plain(MaterialRecord.self)
        case "alarms": plain(AlarmRecord.self)
        case "decisions": plain(DecisionRecord.self)
        default: plain(DeliveryRecord.self)
        }
    }
}

extension StoredRecord {
    func with(_ value: [UInt8]) -> StoredRecord {
        StoredRecord(place: place, offset: 0, appendedAtUs: 1, record: LogRecord(key: [], value: value))
    }
}
