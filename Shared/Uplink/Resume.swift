package import EventLog
import PlantEvents
import SwiftProtobuf

/// Finds where a partition's mirror goes on: behind the source's copy of the newest record that the target holds.
///
/// Offsets of the two logs name nothing together, so the record itself is looked for: its bytes, with its origin as the
/// guide. The caller reads what `look` asks for and hands it in, until the search goes on or stops.
package struct Resume {
    package enum Step: Equatable, Sendable {
        /// Read these offsets of the source and call `next` with what is there.
        case look(Range<Int64>)
        /// The target holds everything of the source before this offset.
        case goOn(at: Int64)
        /// The target holds what the source does not: nothing may be sent until a person has decided.
        case stop(String)
    }

    private enum Phase {
        case start
        /// The records just before `end` should be the tail, offset by offset.
        case guessed(end: Int64)
        /// The newest record lies between these offsets, by the origins seen.
        case bisecting(Range<Int64>, probe: Int64)
        case scanning(next: Int64, end: Int64, isWhole: Bool)
        case following(from: Int64)
    }

    /// Records of the target's end that are read and compared.
    package static let tailRecords: Int64 = 32
    /// Source records read by one look of a search.
    private static let chunk: Int64 = 2_048
    /// Records that a probe reads to find one with an origin.
    private static let probeRecords: Int64 = 16

    private let place: TopicPartition
    private let tail: [StoredRecord]
    private let targetEnd: Int64
    private let sourceEnd: Int64
    private let guess: Int64
    /// Index of the tail's newest record by origin; its last where none has one.
    private let newest: Int
    private let newestMark: OriginMark?
    private var phase = Phase.start
    private var highest: OriginMark?

    /// - Parameters:
    ///   - tail: the sound ones of the target's last records, in order; at least one.
    ///   - guess: where the mirror believes that the source goes on.
    package init(tail: [StoredRecord], targetEnd: Int64, sourceEnd: Int64, guess: Int64) {
        precondition(!tail.isEmpty, "an empty target needs no search")
        self.tail = tail
        self.targetEnd = targetEnd
        self.sourceEnd = sourceEnd
        self.guess = guess
        place = tail[0].place
        let marks = tail.map { Self.mark(of: $0) }
        // Of equal marks the later counts: a repeat stands behind what it repeats.
        newest =
            marks.indices.filter { marks[$0] != nil }
            .max { (marks[$0] ?? .zero, $0) < (marks[$1] ?? .zero, $1) } ?? tail.count - 1
        newestMark = marks[newest]
    }

    package mutating func next(_ found: [StoredRecord] = []) -> Step {
        switch phase {
        case .start: return begin()
        case .guessed(let end): return isTail(found) ? .goOn(at: end) : search()
        case .bisecting(let range, let probe): return narrow(range, probe, found)
        case .scanning(let next, let end, let isWhole): return scan(next, end, isWhole, found)
        case .following(let from): return follow(from, found)
        }
    }

    private mutating func begin() -> Step {
        let first = tail[0].offset + guess - targetEnd
        guard tail.last?.offset == targetEnd - 1, first >= 0, guess <= sourceEnd, first < guess else { return search() }
        phase = .guessed(end: guess)
        return .look(first..<guess)
    }

    /// Whether each tail record stands where it should; what is damaged at the source speaks neither for nor against.
    private func isTail(_ found: [StoredRecord]) -> Bool {
        let shift = guess - targetEnd
        let copies = Dictionary(found.map { ($0.offset, $0) }) { first, _ in first }
        let same = tail.count { Self.isSame($0, copies[$0.offset + shift]) }
        return same > 0 && same == tail.count - found.count { $0.damage != nil }
    }

    private mutating func search() -> Step {
        newestMark == nil ? scanAll() : narrowed(0..<sourceEnd)
    }

    /// Halves until one chunk is left, then looks there and a chunk to both sides.
    private mutating func narrowed(_ range: Range<Int64>) -> Step {
        guard range.count > Int(Self.chunk) else {
            let around = max(0, range.lowerBound - Self.chunk)..<min(sourceEnd, range.upperBound + Self.chunk)
            return scan(around.lowerBound, around.upperBound, false, [])
        }
        let probe = range.lowerBound + (range.upperBound - range.lowerBound) / 2
        phase = .bisecting(range, probe: probe)
        return .look(probe..<min(probe + Self.probeRecords, range.upperBound))
    }

    private mutating func narrow(_ range: Range<Int64>, _ probe: Int64, _ found: [StoredRecord]) -> Step {
        guard let newestMark, let mark = found.lazy.compactMap({ Self.mark(of: $0) }).first else { return scanAll() }
        return narrowed(mark < newestMark ? probe..<range.upperBound : range.lowerBound..<(probe + Self.probeRecords))
    }

    private mutating func scanAll() -> Step { scan(0, sourceEnd, true, []) }

    /// Looks through `next ..< end` for the newest record; after a part only, through everything: voided writers' older
    /// origins lead halving astray.
    private mutating func scan(_ next: Int64, _ end: Int64, _ isWhole: Bool, _ found: [StoredRecord]) -> Step {
        for record in found {
            if Self.isSame(tail[newest], record) {
                phase = .following(from: record.offset + 1)
                let after = record.offset + Int64(tail.count - newest)
                return after > record.offset + 1 ? .look(record.offset + 1..<min(after, sourceEnd)) : follow(after, [])
            }
            if let mark = Self.mark(of: record) { highest = max(highest ?? mark, mark) }
        }
        guard next < end else { return isWhole ? .stop(divergence) : scanAll() }
        let upTo = min(next + Self.chunk, end)
        phase = .scanning(next: upTo, end: end, isWhole: isWhole)
        return .look(next..<upTo)
    }

    /// What stands behind the newest record at the target must stand behind it at the source too, or be a repeat.
    private func follow(_ from: Int64, _ found: [StoredRecord]) -> Step {
        let copies = Dictionary(found.map { ($0.offset, $0) }) { first, _ in first }
        var next = from
        for record in tail[(newest + 1)...] {
            if Self.isSame(record, copies[next]) {
                next += 1
            } else if let mark = Self.mark(of: record), let newestMark, mark <= newestMark {
                continue
            } else {
                return .stop(
                    "\(place): the target's record at offset \(record.offset) does not stand in the source at "
                        + "\(next); another program writes to the target; stop it, then rebuild this partition there"
                )
            }
        }
        return .goOn(at: next)
    }

    private var divergence: String {
        let held = newestMark.map { "epoch \($0.epoch), sequence \($0.sequence)" } ?? "a record without origin"
        let last = highest.map { "epoch \($0.epoch), sequence \($0.sequence)" } ?? "no origin"
        guard let newestMark, newestMark > highest ?? .zero else {
            return "\(place): the target's newest record (\(held), offset \(tail[newest].offset)) is not in the "
                + "source; another program writes to the target, or the source is another log; give each writer a "
                + "partition of its own"
        }
        return "\(place): the target is ahead: it holds \(held), the source's newest is \(last); was the source "
            + "restored from a backup? copy what is missing back from the target before anything is written here"
    }

    private static func isSame(_ record: StoredRecord, _ other: StoredRecord?) -> Bool {
        guard let other, other.damage == nil else { return false }
        return record.record == other.record
    }

    private static func mark(of stored: StoredRecord) -> OriginMark? {
        stored.damage == nil ? Origin.mark(of: stored.record) : nil
    }
}

extension OriginMark {
    /// Below every mark: epochs begin at 1.
    fileprivate static let zero = OriginMark(epoch: 0, sequence: 0)
}

extension Origin {
    /// The origin that the record's value carries; nil where it is none of ours.
    static func of(_ record: LogRecord) -> Origin? {
        // What cannot be decoded is mirrored like everything else; that it has no origin is the answer.
        (try? Codec.decodeMeta(from: record.value))?.origin
    }

    static func mark(of record: LogRecord) -> OriginMark? { of(record)?.mark }
}
