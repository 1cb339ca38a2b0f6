import EventLog
import Foundation
import PlantCore
import PlantEvents
import ServiceRuntime
import SwiftProtobuf
import Testing

/// M19, REL-04: what was parked is handled once it is understood, once and in its subject's order.
@Suite struct RedriveTests {
    private let garbage: [UInt8] = [0xff, 0xff, 0xff]

    /// Runs a service's loop next to `body`: every record of the intake goes into a list.
    private func running(
        _ intake: Intake,
        _ body: (Heard) async throws -> Void
    ) async throws {
        let heard = Heard()
        let loop = Task {
            while !Task.isCancelled {
                let batch = try await intake.next(max: 64, wait: .milliseconds(20))
                for incoming in batch.records { await heard.add(incoming) }
                await heard.note(batch.positions)
            }
        }
        do {
            try await body(heard)
        } catch {
            loop.cancel()
            throw error
        }
        loop.cancel()
        _ = await loop.result
    }

    @Test func unreadableRecordIsParkedOnceWithReasonAndBytes() async throws {
        let bench = ParkedBench()
        try await bench.append([try ParkedBench.record(0), garbage, try ParkedBench.record(2)])
        for _ in 0..<2 {
            let intake = bench.intake(Parker(bench.context))
            let batch = try await intake.next(max: 10, wait: .zero)
            #expect(batch.records.map(\.offset) == [0, 2])
            #expect(batch.positions.partitions[bench.place]?.nextOffset == 3)
        }
        let listing = try await bench.shelf.entries()
        #expect(listing.entries.count == 1)
        let entry = try #require(listing.entries.first)
        #expect(entry.item.offset == 1 && entry.cause == .unreadable && entry.isWhole)
        #expect(entry.reason.contains("not a lineledger.v1.ProductionRecord"))
        let content = try await bench.shelf.content(of: entry.item)
        #expect(content.value == garbage && content.event.epochInForce == 1 && content.event.sequenceInForce == 1)
    }

    @Test func redriveOfStillUnreadableKeepsItParked() async throws {
        let bench = ParkedBench()
        try await bench.append([garbage])
        let intake = bench.intake(Parker(bench.context))
        try await running(intake) { heard in
            try await heard.reach(1, of: bench.place)
            let items = try await bench.parkedItems()
            let answers = try await bench.context.desk.redrive(items, by: "alice", bench.context)
            #expect(answers.map(\.state) == [.parked])
            #expect(try await bench.parkedItems() == items)
        }
    }

    /// The same bytes, parked by an older build that could not read them.
    private func parkAsOlderBuild(_ parker: Parker, _ bench: ParkedBench, _ value: [UInt8], at offset: Int64)
        async throws
    {
        let stored = StoredRecord(
            place: bench.place,
            offset: offset,
            appendedAtUs: 1,
            record: LogRecord(key: [1], value: value)
        )
        var fence = Fence()
        _ = try fence.admit(Codec.decodeMeta(from: ParkedBench.record(UInt64(max(0, offset - 1)))))
        try await parker.park([
            Parker.Finding(stored, cause: .unreadable, reason: "older build", fence: offset == 0 ? nil : fence)
        ])
    }

    @Test func understoodRecordIsHandledLateAndNoted() async throws {
        let bench = ParkedBench()
        let values = try (0..<4).map { try ParkedBench.record($0, subject: "WO-\($0)") }
        try await bench.append(values)
        let parker = Parker(bench.context)
        try await parkAsOlderBuild(parker, bench, values[1], at: 1)
        let intake = bench.intake(parker, owner: .decider {})
        try await running(intake) { heard in
            try await heard.reach(4, of: bench.place)
            #expect(await heard.offsets == [0, 2, 3], "what is parked is not handled by reading alone")
            let items = try await bench.parkedItems()
            let answers = try await bench.context.desk.redrive(items, by: "alice", bench.context)
            #expect(answers == [.init(.redriven, "handled")])
            #expect(await heard.offsets == [0, 2, 3, 1])
            #expect(await heard.last?.askedBy == "alice")
            #expect(try await bench.parkedItems().isEmpty)
            let again = try await bench.context.desk.redrive(items, by: "alice", bench.context)
            #expect(again.map(\.state) == [.closed])
        }
        let done = try await bench.shelf.entries(withClosed: true).entries
        #expect(done.map(\.closedBy) == ["alice"] && done.map(\.state) == [.redriven])
    }

    @Test func recordOfADeposedWriterIsVoidWhenItIsRedriven() async throws {
        let bench = ParkedBench()
        let zombie = try ParkedBench.record(7, epoch: 1)
        try await bench.append([try ParkedBench.record(0, epoch: 2), zombie])
        let parker = Parker(bench.context)
        var fence = Fence()
        _ = try fence.admit(Codec.decodeMeta(from: ParkedBench.record(0, epoch: 2)))
        let stored = StoredRecord(
            place: bench.place,
            offset: 1,
            appendedAtUs: 1,
            record: LogRecord(key: [1], value: zombie)
        )
        try await parker.park([Parker.Finding(stored, cause: .unreadable, reason: "older build", fence: fence)])
        let intake = bench.intake(parker, owner: .decider {})
        try await running(intake) { heard in
            try await heard.reach(2, of: bench.place)
            let items = try await bench.parkedItems()
            let answers = try await bench.context.desk.redrive(items, by: "alice", bench.context)
            #expect(answers.first?.reason.hasPrefix("void") == true)
            #expect(await heard.offsets == [0])
            #expect(try await bench.parkedItems().isEmpty)
        }
    }

    /// Design 3: an unknown kind with must_understand holds its subject, also after a restart; others go on.
    @Test func heldSubjectWaitsInOrderAndOthersGoOn() async throws {
        let bench = ParkedBench()
        let unknown = try ParkedBench.record(0, subject: "WO-1", kind: ParkedBench.unknownKind, mustUnderstand: true)
        try await bench.append([
            unknown, try ParkedBench.record(1, subject: "WO-2"), try ParkedBench.record(2, subject: "WO-1"),
        ])
        let first = bench.intake(Parker(bench.context))
        #expect(try await first.next(max: 10, wait: .zero).records.map(\.offset) == [1])
        let positions = try await first.next(max: 10, wait: .zero).positions
        try await bench.append([try ParkedBench.record(3, subject: "WO-1"), try ParkedBench.record(4, subject: "WO-3")])

        // A restart, with the positions of then and with none.
        let restarted = bench.intake(Parker(bench.context), from: positions, owner: .decider {})
        #expect(try await restarted.next(max: 10, wait: .zero).records.map(\.offset) == [4])
        let bare = bench.intake(Parker(bench.context), owner: .decider {})
        #expect(try await bare.next(max: 10, wait: .zero).records.map(\.offset) == [1, 4])
        let entries = try await bench.shelf.entries().entries
        #expect(entries.map(\.item.offset) == [0, 2, 3])
        #expect(entries.map(\.cause) == [.notUnderstood, .behind, .behind])
        #expect(Set(entries.map(\.subject)) == ["WO-1"])

        bench.context.desk.clear()
        let parker = Parker(bench.context)
        let intake = bench.intake(parker, owner: .decider {})
        try await running(intake) { heard in
            try await heard.reach(5, of: bench.place)
            let items = entries.map(\.item)
            // Nothing of the subject goes before its first record, and that is still not understood.
            let early = try await bench.context.desk.redrive(items, by: "alice", bench.context)
            #expect(early.map(\.state) == [.parked, .parked, .parked])
            #expect(early.dropFirst().first?.reason.contains("goes first") == true)
            // Given up: what waited behind it is handled in order, and the subject flows again.
            _ = try await bench.context.desk.discard([items[0]], reason: "test", by: "alice")
            let late = try await bench.context.desk.redrive(Array(items[1...]), by: "alice", bench.context)
            #expect(late.map(\.state) == [.redriven, .redriven])
            #expect(await heard.offsets.suffix(2) == [2, 3])
            try await bench.append([try ParkedBench.record(5, subject: "WO-1")])
            try await heard.reach(6, of: bench.place)
            #expect(await heard.offsets.last == 5)
        }
    }

    @Test func unknownKindWithoutMustUnderstandGoesOn() async throws {
        let bench = ParkedBench()
        try await bench.append([try ParkedBench.record(0, kind: ParkedBench.unknownKind), try ParkedBench.record(1)])
        let intake = bench.intake(Parker(bench.context))
        #expect(try await intake.next(max: 10, wait: .zero).records.map(\.offset) == [0, 1])
        #expect(try await bench.parkedItems().isEmpty)
    }

    /// A watcher whose state is rebuilt by this build reads a parked record at its place, and that settles it.
    @Test func watcherReadsParkedRecordAgainAtItsPlace() async throws {
        let bench = ParkedBench()
        let values = try (0..<3).map { try ParkedBench.record($0) }
        try await bench.append(values)
        let parker = Parker(bench.context)
        try await parkAsOlderBuild(parker, bench, values[1], at: 1)
        let intake = bench.intake(parker, owner: .watcher)
        #expect(try await intake.next(max: 10, wait: .zero).records.map(\.offset) == [0, 1, 2])
        #expect(try await intake.next(max: 10, wait: .zero).records.isEmpty)
        #expect(try await bench.parkedItems().isEmpty)
    }

    /// The marks recognise a re-driven record's repeat however the restart falls, and a late one is never taken for one.
    @Test func decidersRecogniseRepeatsOfRedrivenInputs() throws {
        func origin(_ sequence: UInt64) -> Origin {
            .with {
                $0.site = "berlin"
                $0.topic = "production"
                $0.epoch = 1
                $0.sequence = sequence
            }
        }
        var live = Decider(ListeningCore(), actor: "mes-bridge", place: Place())
        var history: [ProductionRecord] = []
        func take(_ sequence: UInt64, _ person: String? = nil, _ decider: inout Decider<ListeningCore>) -> Bool {
            let draft = decider.take("WO-\(sequence)", cause: origin(sequence), askedBy: person, nowUs: 1)
            if let draft { history.append(draft.record) }
            return draft != nil
        }
        #expect(
            take(1, nil, &live) && take(3, nil, &live) && !take(2, nil, &live),
            "reading in order takes 2 for a repeat"
        )
        #expect(take(2, "alice", &live) && !take(2, "alice", &live))
        #expect(take(5, "bob", &live), "above the mark too")
        for cut in 0...history.count {
            var restarted = Decider(ListeningCore(), actor: "mes-bridge", place: Place())
            for record in history.prefix(cut) { restarted.replay(record) }
            let before = history
            #expect(take(2, "alice", &restarted) == (cut < 3), "cut after \(cut)")
            #expect(take(5, "bob", &restarted) == (cut < 4), "cut after \(cut)")
            _ = take(6, nil, &restarted)
            #expect(!take(5, "bob", &restarted))
            history = before
        }
    }
}

/// What a service's loop was handed.
actor Heard {
    private(set) var offsets: [Int64] = []
    private(set) var last: Intake.Incoming?
    private var positions = IntakePositions()

    func add(_ incoming: Intake.Incoming) {
        offsets.append(incoming.offset)
        last = incoming
    }

    func note(_ positions: IntakePositions) { self.positions = positions }

    /// Waits until the loop has read up to `offset`.
    func reach(_ offset: Int64, of place: TopicPartition) async throws {
        let deadline = ContinuousClock.now + .seconds(600)
        while positions.partitions[place]?.nextOffset ?? 0 < offset {
            try #require(ContinuousClock.now < deadline, "the loop does not get to \(offset)")
            await Task.yield()
        }
    }
}
