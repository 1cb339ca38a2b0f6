import SQLite

/// Reads one topic's file in short transactions, past what is damaged.
final class TopicSource {
    private let file: TopicFile
    private let database: Database
    private let select: Statement
    private let acknowledged: AcknowledgedEnds
    private var partitions: Int?

    init(_ file: TopicFile) throws(LogFailure) {
        self.file = file
        database = try file.openToRead()
        acknowledged = try AcknowledgedEnds(file, toWrite: false)
        let database = database
        select = try file.reading { () throws(SQLiteError) in
            try database.prepare(
                """
                SELECT id, appended_at_us, crc32c, key, value, headers FROM record
                WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?
                """
            )
        }
    }

    func partitionCount() throws(LogFailure) -> Int32 {
        try file.reading { () throws(SQLiteError) in Int32(try database.integer("SELECT partitions FROM topic")) }
    }

    /// The offset that the next record gets: behind what was acknowledged, should it be there or not.
    func endOffset(_ partition: Int32) throws(LogFailure) -> Int64 {
        let known = try acknowledgedEnd(partition)
        return max(known, try file.reading { () throws(SQLiteError) in try database.endOffset(partition) })
    }

    private func acknowledgedEnd(_ partition: Int32) throws(LogFailure) -> Int64 {
        if partitions == nil { partitions = Int(try partitionCount()) }
        let ends = acknowledged.read(partitions: partitions ?? 0)
        return ends.indices.contains(Int(partition)) ? ends[Int(partition)] : 0
    }

    /// Records from `cursor` on, and where to go on; a range that cannot be read is one record that says so.
    func read(
        _ place: TopicPartition,
        from cursor: inout Int64,
        max: Int,
        bytes: inout Int
    ) throws(LogFailure) -> [StoredRecord] {
        var found: [StoredRecord] = []
        // Asked before the records: what is acknowledged then has been committed.
        let acknowledged = try acknowledgedEnd(place.partition)
        do throws(SQLiteError) {
            defer { select.reset() }
            select.bind(1, TopicFile.id(place.partition, cursor))
            select.bind(2, TopicFile.id(place.partition + 1, 0) - 1)
            select.bind(3, Int64(max))
            while found.count < max, bytes > 0, try select.step() {
                let id = select.int(0)
                let offset = TopicFile.offset(id)
                guard offset >= cursor else { throw SQLiteError.outOfOrder(id) }
                if offset > cursor {
                    found.append(lost(place, cursor..<offset, "the rows are not in the file"))
                    cursor = offset
                    if found.count == max { break }
                }
                let record = stored(place, id)
                bytes -= record.record.byteCount
                found.append(record)
                cursor = offset + 1
            }
        } catch {
            guard error.isCorrupt else { throw file.failure(error) }
            if !found.isEmpty { return found }
            let next = try firstReadable(place, after: cursor, error)
            found.append(lost(place, cursor..<next, "\(error)"))
            cursor = next
        }
        if found.isEmpty, max > 0, bytes > 0, cursor < acknowledged {
            found.append(lost(place, cursor..<acknowledged, "they were acknowledged, but the file ends before them"))
            cursor = acknowledged
        }
        return found
    }

    private func stored(_ place: TopicPartition, _ id: Int64) -> StoredRecord {
        let atUs = select.int(1)
        let key = select.blob(3)
        let value = select.blob(4)
        let headerBytes = select.blob(5)
        let found = RecordForm.checksum(id: id, atUs: atUs, key: key, value: value, headers: headerBytes)
        let expected = select.int(2)
        let headers = RecordForm.decode(headerBytes)
        let offset = TopicFile.offset(id)
        let isSound = found == expected && headers != nil
        let damage = isSound ? nil : "\(file.path), \(place), offset \(offset): checksum \(found), expected \(expected)"
        return StoredRecord(
            place: place,
            offset: offset,
            appendedAtUs: atUs,
            record: LogRecord(key: key, value: value, headers: headers ?? []),
            damage: damage
        )
    }

    private func lost(_ place: TopicPartition, _ offsets: Range<Int64>, _ why: String) -> StoredRecord {
        StoredRecord(
            place: place,
            offset: offsets.lowerBound,
            appendedAtUs: 0,
            record: LogRecord(key: [], value: []),
            damage: "\(file.path), \(place): offsets \(offsets.lowerBound) to \(offsets.upperBound - 1) "
                + "cannot be read: \(why); restore them from a mirror or a backup"
        )
    }

    /// The first offset behind a damaged page: widening steps to get behind it, then halving to its edge.
    private func firstReadable(
        _ place: TopicPartition,
        after offset: Int64,
        _ cause: SQLiteError
    ) throws(LogFailure) -> Int64 {
        let end = try endOffset(place.partition)
        var unreadable = offset
        var step: Int64 = 1
        var readable = min(offset + step, end)
        while readable < end, !canRead(place, readable) {
            unreadable = readable
            step *= 2
            readable = min(offset + step, end)
        }
        guard readable > offset else { throw file.failure(cause) }
        while readable - unreadable > 1 {
            let middle = unreadable + (readable - unreadable) / 2
            if canRead(place, middle) { readable = middle } else { unreadable = middle }
        }
        return readable
    }

    private func canRead(_ place: TopicPartition, _ offset: Int64) -> Bool {
        defer { select.reset() }
        select.bind(1, TopicFile.id(place.partition, offset))
        select.bind(2, TopicFile.id(place.partition + 1, 0) - 1)
        select.bind(3, 1 as Int64)
        // Whatever is wrong there, the offset is not readable; which is the answer.
        return (try? select.step()) == true
    }
}

extension SQLiteError {
    /// Rows of a sound file come in ascending order.
    fileprivate static func outOfOrder(_ id: Int64) -> SQLiteError {
        SQLiteError(code: SQLiteError.corrupt, message: "row \(id) is out of order", context: "reading records")
    }
}
