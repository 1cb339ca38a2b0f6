import SQLite

/// How long parts took from verdict to read model, as a histogram of bounded size.
///
/// It tells of the running service, not of the plant, and so is in no digest. Buckets grow by a quarter of a doubling,
/// which keeps a percentile within a tenth.
final class LagRows {
    private let add: Statement

    init(_ database: Database) throws(SQLiteError) {
        add = try database.prepare(
            """
            INSERT INTO lag(bucket, parts) VALUES (?, ?)
            ON CONFLICT(bucket) DO UPDATE SET parts = parts + excluded.parts
            """
        )
    }

    func add(_ lagsUs: [Int64]) throws(SQLiteError) {
        var counts: [Int64: Int64] = [:]
        for lag in lagsUs { counts[Self.bucket(lag), default: 0] += 1 }
        for (bucket, count) in counts { try add.run([.int(bucket), .int(count)]) }
    }

    /// Four buckets for each doubling, by the two bits behind the highest.
    static func bucket(_ lagUs: Int64) -> Int64 {
        guard lagUs >= 4 else { return max(0, lagUs) }
        let top = Int64(63 - lagUs.leadingZeroBitCount)
        return top * 4 + (lagUs >> (top - 2)) & 3
    }

    /// The middle of a bucket, microseconds.
    static func middleUs(of bucket: Int64) -> Int64 {
        guard bucket >= 8 else { return bucket }
        let top = bucket / 4
        let width = Int64(1) << (top - 2)
        return (4 + bucket % 4) * width + width / 2
    }
}
