package import EventLog
import Foundation
package import PlantEvents
import SwiftProtobuf

/// A service's parked topic, read for people: what is on it and what became of it.
package struct ParkedShelf: Sendable {
    /// One record that was set aside.
    package struct Entry: Sendable {
        package let item: ParkedDesk.Item
        package let cause: ParkingCause
        package let subject: String
        /// When it was parked, microseconds since 1970.
        package let parkedAtUs: Int64
        /// Bytes of the value.
        package let bytes: UInt64
        /// Whether the parked topic has the bytes; otherwise the source topic does.
        package let isWhole: Bool
        package fileprivate(set) var reason: String
        package fileprivate(set) var state = ParkedDesk.Answer.State.parked
        /// Who ended it; empty while it is parked.
        package fileprivate(set) var closedBy = ""
    }

    package struct Listing: Sendable {
        /// In the order in which they were parked.
        package var entries: [Entry] = []
        /// Older and newer ones that did not fit in.
        package var leftOut: Int64 = 0
    }

    /// What was parked, and what this build makes of it.
    package struct Content: Sendable {
        package let event: RecordParked
        package let offset: Int64
        package let key: [UInt8]
        package let value: [UInt8]
        package let understanding: Understanding
    }

    package struct Missing: Error, CustomStringConvertible {
        package let description: String
    }

    /// Entries that are held in memory at most.
    package static let entriesLimit = 100_000

    private let log: any EventLog
    private let place: TopicPartition

    package init(log: any EventLog, place: TopicPartition) {
        self.log = log
        self.place = place
    }

    package init(log: any EventLog, site: String, service: String) {
        self.init(log: log, place: TopicPartition(TopicName(site: site, parkedBy: service).description))
    }

    /// What waits for somebody; with those that are done, where asked for. Nothing where the service never parked.
    package func entries(withClosed: Bool = false, limit: Int = entriesLimit) async throws -> Listing {
        guard try await log.topics().contains(place.topic) else { return Listing() }
        let end = try await log.endOffset(of: place)
        let reader = try await log.reader(from: [place: 0])
        var gate = RecordGate<ParkedRecord>()
        var found: [Key: Entry] = [:]
        var listing = Listing()
        var next: Int64 = 0
        while next < end {
            for stored in try await reader.next(max: 1_024, wait: .seconds(1)) where stored.offset < end {
                next = stored.offset + 1
                guard let record = gate.read(stored).record else { continue }
                for event in record.events {
                    take(event, record.meta, stored.offset, withClosed, limit, &found, &listing)
                }
            }
        }
        await reader.close()
        listing.entries = found.values.sorted {
            ($0.item.parkedAt, $0.item.place, $0.item.offset) < ($1.item.parkedAt, $1.item.place, $1.item.offset)
        }
        return listing
    }

    private struct Key: Hashable {
        let place: TopicPartition
        let offset: Int64
    }

    private func take(
        _ event: ParkedRecord.Event,
        _ meta: Meta,
        _ parkedAt: Int64,
        _ withClosed: Bool,
        _ limit: Int,
        _ found: inout [Key: Entry],
        _ listing: inout Listing
    ) {
        func close(_ key: Key, _ state: ParkedDesk.Answer.State, _ reason: String) {
            if !withClosed {
                found[key] = nil
            } else {
                found[key]?.state = state
                found[key]?.reason = reason
                found[key]?.closedBy = meta.actor
            }
        }
        switch event.kind {
        case .recordParked(let parked):
            for offset in parked.offsets {
                let key = Key(place: parked.place, offset: offset)
                if found[key] != nil {
                    found[key]?.reason = parked.reason
                } else if found.count >= limit {
                    listing.leftOut += 1
                } else {
                    found[key] = Entry(parked, offset, meta, parkedAt)
                }
            }
        case .recordRedriven(let event):
            close(Key(place: event.place, offset: event.sourceOffset), .redriven, event.outcome)
        case .recordDiscarded(let event):
            close(Key(place: event.place, offset: event.sourceOffset), .discarded, event.reason)
        case .writerTookOver, nil: break
        }
    }

    /// What was parked there, from the parked topic or, by reference, from the source.
    package func content(of item: ParkedDesk.Item) async throws -> Content {
        guard let stored = try await record(place, item.parkedAt), stored.damage == nil,
            let event = try Codec.decode(ParkedRecord.self, from: stored.record.value).events
                .compactMap({ event -> RecordParked? in
                    guard case .recordParked(let parked)? = event.kind else { return nil }
                    return parked.place == item.place && parked.offsets.contains(item.offset) ? parked : nil
                }).first
        else {
            throw Missing(
                description: "\(place)/\(item.parkedAt) does not park \(item.place)/\(item.offset); list what is parked"
            )
        }
        let isWhole = !event.value.isEmpty || (event.valueBytes == 0 && event.cause != .damaged)
        if isWhole, event.cause != .damaged {
            return Content(event, item, key: Array(event.key), value: Array(event.value))
        }
        guard let source = try await record(item.place, item.offset) else {
            throw Missing(
                description: "\(item.place)/\(item.offset): the source topic has no such record any more, and only a "
                    + "reference to it was parked"
            )
        }
        return Content(event, item, source)
    }

    private func record(_ place: TopicPartition, _ offset: Int64) async throws -> StoredRecord? {
        guard try await log.topics().contains(place.topic),
            place.partition < (try await log.partitionCount(of: place.topic)),
            offset >= 0, offset < (try await log.endOffset(of: place))
        else { return nil }
        let reader = try await log.reader(from: [place: offset])
        let found = try await reader.next(max: 1, wait: .seconds(5)).first
        await reader.close()
        return found?.offset == offset ? found : nil
    }
}

extension ParkedShelf.Entry {
    fileprivate init(_ event: RecordParked, _ offset: Int64, _ meta: Meta, _ parkedAt: Int64) {
        item = ParkedDesk.Item(
            topic: event.sourceTopic,
            partition: event.place.partition,
            offset: offset,
            parkedAt: parkedAt
        )
        cause = event.cause
        subject = event.subject
        parkedAtUs = meta.recordedAtUs
        bytes = event.valueBytes
        isWhole = !event.value.isEmpty
        reason = event.reason
    }
}

extension ParkedShelf.Content {
    fileprivate init(_ event: RecordParked, _ item: ParkedDesk.Item, key: [UInt8], value: [UInt8]) {
        self.event = event
        offset = item.offset
        self.key = key
        self.value = value
        understanding = Understanding(topic: item.topic, value: value)
    }

    fileprivate init(_ event: RecordParked, _ item: ParkedDesk.Item, _ source: StoredRecord) {
        self.event = event
        offset = item.offset
        key = source.record.key
        value = source.record.value
        understanding =
            source.damage.map { .not(.damaged, reason: "stored bytes are damaged: \($0)") }
            ?? Understanding(topic: item.topic, value: value)
    }

    /// Whether the record counts for nothing: another writer had the partition already, or it came before.
    func voidness(of meta: Meta) -> Parker.Closing.End? {
        // Records that were held counted when they were read.
        guard !event.cause.holdsSubject, event.epochInForce > 0 else { return nil }
        // What was expected next is known of the first record of a reference only.
        let expected = offset == event.sourceOffset ? event.sequenceInForce : 0
        var fence = Fence(epoch: event.epochInForce, instance: event.instanceInForce, nextSequence: expected)
        guard case .void(let reason) = fence.admit(meta) else { return nil }
        return .redriven(meta.origin, outcome: "void: \(reason)")
    }
}
