import Foundation
import PlantEvents
import SeededRandom
import SwiftProtobuf

/// Records that are wrong in every way we know, from one seed: the golden samples of every kind, damaged.
struct Fuzzer {
    private let samples: [Topic: [[UInt8]]]
    private let all: [[UInt8]]
    private var random: SplitMix64
    /// Records made so far of each topic; their writers number them, as writers do.
    private var numbers: [Topic: UInt64] = [:]
    private var epochs: [Topic: UInt64] = [:]

    /// - Parameter folder: `proto/golden`.
    init(seed: UInt64, folder: URL) throws {
        random = SplitMix64(seed: seed)
        var samples: [Topic: [[UInt8]]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        where name.hasSuffix(".hex") {
            let digits = Array(try String(contentsOf: folder.appending(path: name), encoding: .utf8)).compactMap(
                \.hexDigitValue
            )
            let bytes = stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
            let file = name.split(separator: ".").first.map(String.init) ?? ""
            for topic in file == "deliveries"
                ? [.mesDeliveries, .erpDeliveries] : [Topic(rawValue: file)].compactMap(\.self)
            {
                samples[topic, default: []].append(bytes)
            }
        }
        self.samples = samples
        all = samples.sorted { $0.key.rawValue < $1.key.rawValue }.flatMap(\.value)
    }

    mutating func next(of topic: Topic) -> [UInt8] {
        let own = samples[topic] ?? all
        var bytes = own[Int.random(in: 0..<own.count, using: &random)]
        if Int.random(in: 0..<3, using: &random) == 0 { return numbered(bytes, topic) }
        for _ in 0...Int.random(in: 0..<3, using: &random) { damage(&bytes) }
        guard let epoch = try? Codec.decodeMeta(from: bytes).origin.epoch, epoch >= epochs[topic, default: 1] else {
            return bytes
        }
        // A damaged epoch deposes the writer; it takes over again, while there are epochs left.
        guard epoch < 1 << 40 else { return next(of: topic) }
        (epochs[topic], numbers[topic]) = (epoch + 1, 0)
        return bytes
    }

    /// A sound record with its writer's next number, sometimes with foreign fields and kinds.
    private mutating func numbered(_ sample: [UInt8], _ topic: Topic) -> [UInt8] {
        let number = numbers[topic, default: 0]
        numbers[topic] = number + 1
        guard var envelope = try? Envelope(serializedBytes: sample) else { return sample }
        envelope.meta.origin = .with {
            $0.site = "berlin"
            $0.topic = topic.rawValue
            $0.epoch = epochs[topic, default: 1]
            $0.sequence = number
        }
        envelope.meta.producer.instance = "writer-\(epochs[topic, default: 1])"
        envelope.meta.subject = "subject-\(Int.random(in: 0..<997, using: &random))"
        envelope.meta.mustUnderstand = Int.random(in: 0..<40, using: &random) == 0
        guard var bytes: [UInt8] = try? envelope.serializedBytes() else { return sample }
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes += field(2, field(Int.random(in: 200...9_000, using: &random), [1, 2, 3]))
        case 1: bytes += field(Int.random(in: 100...9_000, using: &random), [UInt8](repeating: 7, count: 12))
        default: break
        }
        return bytes
    }

    private mutating func damage(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else {
            bytes = [UInt8.random(in: 0...255, using: &random)]
            return
        }
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 2: bytes.removeSubrange(at...)
        case 3: bytes.removeFirst(at)
        case 4: bytes += bytes[at...]
        case 5: bytes.insert(contentsOf: all[Int.random(in: 0..<all.count, using: &random)].prefix(40), at: at)
        case 6: bytes.insert(contentsOf: [0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f], at: at)
        case 7:
            for _ in 0..<Int.random(in: 1..<200, using: &random) where bytes.count < 60_000 { bytes = field(1, bytes) }
        case 8:
            bytes = (0..<Int.random(in: 0..<300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        default: bytes = Array(bytes[at...] + bytes[..<at])
        }
    }

    private func field(_ number: Int, _ payload: [UInt8]) -> [UInt8] {
        varint(UInt64(number) << 3 | 2) + varint(UInt64(payload.count)) + payload
    }

    private func varint(_ value: UInt64) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7f) | 0x80] + varint(value >> 7)
    }
}
