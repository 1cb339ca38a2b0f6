import EventLog

/// How many records are parked whole: a flood of poison must not fill the disk. Beyond it a record is parked by
/// reference: place and reason; the source topic, which is kept for ever, has the bytes (I11).
struct ParkingAllowance: Sendable {
    static let recordsAMinute = 600
    static let bytesAMinute = 4 << 20
    /// All whole copies of a service together.
    static let bytesForEver: Int64 = 1 << 30
    /// What a parked record adds to the record inside it, at most: meta, reason, names.
    static let envelope = 32 << 10

    private var minuteBeganUs: Int64 = .min
    private var records = 0
    private var bytes = 0
    private var bytesEver: Int64 = 0

    /// Notes what is parked whole already.
    mutating func kept(bytes: Int64) { bytesEver = bytes }

    /// Whether a record of so many bytes may be parked whole now.
    mutating func takes(bytes size: Int, nowUs: Int64) -> Bool {
        if minuteBeganUs == .min || nowUs >= minuteBeganUs + 60_000_000 || nowUs < minuteBeganUs {
            (minuteBeganUs, records, bytes) = (nowUs, 0, 0)
        }
        let fits =
            size + Self.envelope <= LogLimits.recordBytes && records < Self.recordsAMinute
            && bytes + size <= Self.bytesAMinute && bytesEver + Int64(size) <= Self.bytesForEver
        guard fits else { return false }
        records += 1
        bytes += size
        bytesEver += Int64(size)
        return true
    }
}
