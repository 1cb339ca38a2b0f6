import PlantEvents
import SQLite

/// Folds topic `alarms`: which conditions ask for a response (ISA-18.2).
final class AlarmFold {
    private let raise, endRaised: Statement

    init(_ database: Database) throws(SQLiteError) {
        raise = try database.prepare(
            """
            INSERT INTO alarm(
                alarm_id, kind, subject, priority, text, response, raised_at_us, partition, epoch, sequence)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(alarm_id) DO UPDATE SET priority = excluded.priority, text = excluded.text,
                response = excluded.response, raised_at_us = excluded.raised_at_us, partition = excluded.partition,
                epoch = excluded.epoch, sequence = excluded.sequence
            WHERE raised_at_us IS NULL
            """
        )
        endRaised = try database.prepare(
            """
            INSERT INTO alarm(
                alarm_id, kind, subject, priority, text, response, returned_at_us, partition, epoch, sequence)
            VALUES (?, ?, ?, 0, '', '', ?, 0, 0, 0)
            ON CONFLICT(alarm_id) DO UPDATE SET returned_at_us = excluded.returned_at_us WHERE returned_at_us IS NULL
            """
        )
    }

    func fold(_ kind: AlarmRecord.Event.Kind, _ mark: Mark) throws {
        switch kind {
        case .writerTookOver: break
        case .alarmRaised(let event):
            try raise.run([
                .text(event.alarmID), .text(event.kind), .text(event.subject), .int(Int64(event.priority.rawValue)),
                .text(event.text), .text(event.response), .int(mark.occurredAtUs),
                .int(mark.partition), .int(mark.epoch), .int(mark.sequence),
            ])
        case .alarmReturnedToNormal(let event):
            try endRaised.run([
                .text(event.alarmID), .text(event.kind), .text(event.subject), .int(mark.occurredAtUs),
            ])
        }
    }
}
