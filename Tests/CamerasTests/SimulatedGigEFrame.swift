/// A frame of the SIMULATED GigE Vision camera as its streaming protocol carries it (GigE Vision 1.2, 24; 64-bit block
/// ids: 2.0, 24): leader, payload, trailer.
struct SimulatedGigEFrame {
    /// Payload types: an image, and the flag of one with chunk data behind it (GigE Vision 2.0).
    static let image: UInt16 = 0x0001
    static let withChunks: UInt16 = 0x4000
    /// Chunk data without and with the image's size (GigE Vision 1.2).
    static let chunkData: UInt16 = 0x0004
    static let extendedChunks: UInt16 = 0x0005

    var block: UInt64
    var extendedIDs = false
    var payloadType = Self.image
    var width: UInt32
    var height: UInt32
    var ticks: UInt64
    var payload: [UInt8]

    /// Image, then each chunk with its id and length behind it.
    static func payload(image: [UInt8], counter: UInt64?) -> [UInt8] {
        guard let counter else { return image }
        return image + 0x1000.bigEndianBytes(4) + image.count.bigEndianBytes(4)
            + counter.bigEndianBytes(8) + SimulatedGigERegisters.chunkID.bigEndianBytes(4) + 8.bigEndianBytes(4)
    }

    /// - Parameter packetSize: with the headers of IP and UDP, bytes.
    func packets(packetSize: Int) -> [[UInt8]] {
        let room = packetSize - 28 - header(0, 3).count
        var packets = [header(0, 1) + leader]
        var from = 0
        repeat {
            let to = min(payload.count, from + room)
            packets.append(header(packets.count, 3) + payload[from..<to])
            from = to
        } while from < payload.count
        packets.append(
            header(packets.count, 2) + 0.bigEndianBytes(2) + payloadType.bigEndianBytes(2) + height.bigEndianBytes(4)
        )
        return packets
    }

    /// What is sent for a packet that the camera no longer has: GEV_STATUS_PACKET_UNAVAILABLE.
    func unavailable(_ packet: Int) -> [UInt8] { header(packet, 3, status: 0x800C) }

    private func header(_ packet: Int, _ format: UInt32, status: UInt16 = 0) -> [UInt8] {
        guard extendedIDs else {
            return status.bigEndianBytes(2) + block.bigEndianBytes(2)
                + (format << 24 | UInt32(packet)).bigEndianBytes(4)
        }
        return status.bigEndianBytes(2) + 0.bigEndianBytes(2) + ((format | 0x80) << 24).bigEndianBytes(4)
            + block.bigEndianBytes(8) + packet.bigEndianBytes(4)
    }

    private var leader: [UInt8] {
        0.bigEndianBytes(2) + payloadType.bigEndianBytes(2) + ticks.bigEndianBytes(8)
            + SimulatedGigERegisters.mono8.bigEndianBytes(4) + width.bigEndianBytes(4) + height.bigEndianBytes(4)
            + 0.bigEndianBytes(12)
    }
}

extension FixedWidthInteger {
    /// The lowest `count` bytes, highest first.
    func bigEndianBytes(_ count: Int) -> [UInt8] {
        (0..<count).reversed().map {
            $0 < 8 ? UInt8(truncatingIfNeeded: UInt64(truncatingIfNeeded: self) >> (8 * $0)) : 0
        }
    }
}
