import PlantEvents
import SwiftProtobuf

/// The facts of a record as CloudEvents 1.0 headers (Kafka protocol binding, binary content mode), so that a consumer
/// can filter without decoding. The value carries all of them too.
enum CloudEventHeaders {
    static func of<Record: TopicRecord>(_ record: Record, site: String, topic: TopicName) -> [LogHeader] {
        let meta = record.meta
        var headers = [
            LogHeader("content-type", "application/protobuf"),
            LogHeader("ce_specversion", "1.0"),
            LogHeader("ce_id", meta.recordID),
            LogHeader("ce_type", Record.protoMessageName),
            LogHeader("ce_source", "/\(site)/\(topic.topic)/\(meta.producer.service)"),
            LogHeader("ce_time", rfc3339(meta.occurredAtUs)),
            LogHeader("events", record.events.map(\.kindName).joined(separator: ",")),
        ]
        if !meta.subject.isEmpty { headers.append(LogHeader("ce_subject", meta.subject)) }
        if !meta.traceparent.isEmpty { headers.append(LogHeader("traceparent", meta.traceparent)) }
        return headers
    }

    /// RFC 3339 in UTC with microseconds; the date by the proleptic Gregorian calendar in 400-year eras that begin on
    /// 1 March, so that the leap day comes last.
    static func rfc3339(_ timeUs: Int64) -> String {
        let (day, inDayUs) = timeUs.flooredDivision(by: 86_400_000_000)
        // Days from 0000-03-01 to 1970-01-01: 719,468; an era has 146,097 days.
        let (era, dayOfEra) = (day + 719_468).flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let fromMarch = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * fromMarch + 2) / 5 + 1
        let month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let seconds = inDayUs / 1_000_000
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
        let time = "\(padded(seconds / 3_600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
        return "\(date)T\(time).\(padded(inDayUs % 1_000_000, 6))Z"
    }

    private static func padded(_ number: Int64, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
