import EventLog

/// Source records of one partition that were read and are not yet known to be at the target.
struct Batch {
    private(set) var offsets: [Int64] = []
    private(set) var records: [LogRecord] = []
    private(set) var bytes = 0
    /// The source offset behind everything read, damaged records too.
    private(set) var after: Int64

    init(from next: Int64) {
        after = next
    }

    var isEmpty: Bool { records.isEmpty }

    mutating func add(_ stored: StoredRecord) {
        after = stored.offset + 1
        guard stored.damage == nil else { return }
        offsets.append(stored.offset)
        records.append(stored.record)
        bytes += stored.record.byteCount
    }

    /// The source offset behind the first `count` records; behind everything read where that is all.
    func offset(after count: Int) -> Int64 {
        count == records.count ? after : offsets[count - 1] + 1
    }

    /// How many of the records lie before `offset`.
    func count(before offset: Int64) -> Int { offsets.prefix { $0 < offset }.count }

    mutating func drop(_ count: Int) {
        bytes -= records.prefix(count).reduce(0) { $0 + $1.byteCount }
        offsets.removeFirst(count)
        records.removeFirst(count)
    }
}
