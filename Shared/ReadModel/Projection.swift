package import EventLog
import SQLite

/// The one writer of a plant's generations: feeds the active one, brings another one up to it beside it, and switches
/// between two batches, so that readers see positions that only ever go forward.
///
/// The other one is what a command has rebuilt or asks to go back to; or what this rebuilds itself, when the active one
/// was made by another version of the model or turns out to be damaged. Every step is on disk before the next begins,
/// and a start finds out from the files how far it came.
///
/// Not thread safe: one owner takes turns. Any error but a retriable one of the log leaves it unusable: make a new one.
package final class Projection {
    /// What happened besides reading.
    package enum Happening: Equatable, Sendable {
        case switched(to: ActiveGeneration, from: Int?)
        /// Taken out of use, with what was found.
        case setAside(Int, String)
        /// A new generation is being built from the log.
        case building(Int, SwitchReason)
        /// A generation is brought up to the active one.
        case catchingUp(Int, SwitchReason)
        case refused(String)
    }

    /// What one turn did.
    package struct Turn: Sendable {
        /// What was folded into the active generation.
        package internal(set) var applied: Applied?
        package internal(set) var happenings: [Happening] = []
    }

    /// What is served and what is being made, for people and probes.
    package struct Status: Codable, Equatable, Sendable {
        /// The active generation; nil while there is none.
        package let generation: Int?
        /// `Schema.version` of its file, and of this build.
        package let version: Int64?
        package let expectedVersion: Int64
        /// Whether the active generation is served as it is and no longer fed.
        package let isStale: Bool
        package let isCaughtUp: Bool
        /// The generation that is being built or brought up.
        package let next: Int?
        /// Records that it has still to read, as far as known.
        package let nextBehind: Int64?
    }

    private struct Candidate {
        let number: Int
        let reason: SwitchReason
        /// Nil only while its file is closed to be named.
        var model: ReadModel?
        /// Set while the file is under construction.
        var building: Generations.Building?
        var reader: (any LogReader)?
        /// What it must reach where there is no live model to reach.
        var target: ReadTarget?
    }

    /// What the log is given to bring a record for a candidate while the live model waits.
    private static let candidateWait = Duration.milliseconds(10)

    private let generations: Generations
    private let site: String
    private let log: any EventLog
    private let nowUs: () -> Int64
    private let liveBatch, candidateBatch: Int
    private let writerLock: FileLock
    private var active: ActiveGeneration?
    private var live: ReadModel?
    private var liveReader: (any LogReader)?
    private var candidate: Candidate?
    private var foundDamage: (generation: Int, reason: String)?
    /// What happened while starting, told with the first turn.
    private var happened: [Happening] = []
    private var isCaughtUp = false

    /// - Parameters:
    ///   - nowUs: microseconds since 1970, asked once a batch.
    ///   - liveBatch: records of a turn for the active generation, at most.
    ///   - candidateBatch: records of a turn for the one that is brought up, at most.
    package init(
        _ generations: Generations,
        site: String,
        log: any EventLog,
        liveBatch: Int = 2_000,
        candidateBatch: Int = 10_000,
        nowUs: @escaping () -> Int64
    ) throws {
        self.liveBatch = liveBatch
        self.candidateBatch = candidateBatch
        self.generations = generations
        self.site = site
        self.log = log
        self.nowUs = nowUs
        guard let lock = try generations.lockWriter() else {
            throw ReadModelFailure.writerExists(path: generations.folder)
        }
        writerLock = lock
        try generations.removeAbandoned()
        try start()
        try generations.collect()
    }

    package var status: Status {
        Status(
            generation: active?.generation,
            version: active?.version,
            expectedVersion: Schema.version,
            isStale: active != nil && live == nil,
            isCaughtUp: isCaughtUp,
            next: candidate?.number,
            nextBehind: candidate.map { candidate in
                let positions = candidate.model?.positions ?? [:]
                let wanted = live?.positions ?? candidate.target?.wanted ?? [:]
                return wanted.reduce(0) { $0 + max(0, $1.value - (positions[$1.key] ?? 0)) }
            }
        )
    }

    /// Positions of what readers are served; empty while it is not fed.
    package var positions: [TopicPartition: Int64] { live?.positions ?? [:] }

    /// A reader found the generation damaged; it is set aside in the next turn.
    package func noteDamage(_ reason: String, of generation: Int) {
        foundDamage = (generation, reason)
    }

    package func close() async {
        await liveReader?.close()
        await candidate?.reader?.close()
        liveReader = nil
        candidate = nil
        live = nil
    }

    // MARK: Start

    private func start() throws {
        let named: ActiveGeneration?
        do {
            named = try generations.active()
        } catch let failure where Self.damage(failure) != nil {
            try generations.deactivate()
            try build(.damage)
            return
        }
        guard let named else {
            let isUntouched = try generations.numbers("generation").isEmpty && generations.numbers("damaged").isEmpty
            if isUntouched { try makeFirst() } else { try build(.damage) }
            return
        }
        active = named
        guard try generations.numbers("generation").contains(named.generation) else {
            try generations.deactivate()
            active = nil
            happened.append(.setAside(named.generation, "the file is gone"))
            try build(.damage)
            return
        }
        do {
            live = try ReadModel(path: generations.path(of: named.generation), site: site)
        } catch ReadModelFailure.otherVersion(_, let found, _) where found == named.version {
            try replaceOtherVersion(named)
        } catch ReadModelFailure.otherSite(_, let found, _) where named.site != site {
            throw ReadModelFailure.otherSite(path: generations.folder, found: found, expected: site)
        } catch {
            guard let reason = Self.damage(error) else { throw error }
            try setAside(reason)
        }
    }

    private func makeFirst() throws {
        let model = try ReadModel(path: generations.path(of: 1), site: site)
        try DurableFile.syncFolder(of: generations.path(of: 1))
        live = model
        try activate(1, .first, previous: nil)
    }

    /// The generation before may be of this version: then the build went back, and so do we. Else it is built anew. The
    /// active one is served as it is meanwhile.
    private func replaceOtherVersion(_ named: ActiveGeneration) throws {
        if let previous = named.previous, try generations.numbers("generation").contains(previous) {
            do {
                let model = try ReadModel(path: generations.path(of: previous), site: site)
                candidate = Candidate(number: previous, reason: .version, model: model)
                happened.append(.catchingUp(previous, .version))
                return
            } catch ReadModelFailure.otherVersion {
            } catch let failure where Self.damage(failure) != nil {
            }
        }
        try build(.version)
    }

    private func build(_ reason: SwitchReason) throws {
        let building = try generations.startBuilding()
        let model = try ReadModel(path: building.path, site: site, purpose: .rebuild)
        candidate = Candidate(number: building.number, reason: reason, model: model, building: building)
        happened.append(.building(building.number, reason))
    }

    private func activate(_ number: Int, _ reason: SwitchReason, previous: Int?) throws {
        let next = ActiveGeneration(
            generation: number,
            previous: previous,
            version: Schema.version,
            site: site,
            reason: reason
        )
        try generations.activate(next)
        happened.append(.switched(to: next, from: active?.generation))
        active = next
    }

    // MARK: Turns

    /// Looks for a request, brings the candidate on, feeds the live model, each by a batch at most.
    ///
    /// - Parameters:
    ///   - wait: how long the log is given to bring the next record.
    ///   - park: makes an unreadable record's copy durable before its position moves; a repeat must be harmless.
    package func turn(
        wait: Duration,
        park: (UnreadableRecord) async throws -> Void
    ) async throws -> Turn {
        var turn = Turn()
        try takeRequest()
        try await takeDamage()
        if candidate != nil {
            do {
                try await advance(wait: live == nil ? wait : Self.candidateWait, park)
            } catch {
                try await dropCandidate(error)
            }
        }
        if live != nil {
            do {
                turn.applied = try await feed(wait: candidate == nil ? wait : .zero, park)
            } catch {
                guard let reason = Self.damage(error) else { throw error }
                try await setAsideLive(reason)
            }
        }
        turn.happenings = happened
        happened = []
        return turn
    }

    private func feed(
        wait: Duration,
        _ park: (UnreadableRecord) async throws -> Void
    ) async throws -> Applied? {
        guard let live else { return nil }
        if liveReader == nil { liveReader = try await open(live) }
        guard let liveReader else { return nil }
        let batch: [StoredRecord]
        let applied: Applied
        do {
            batch = try await liveReader.next(max: liveBatch, wait: wait)
            guard !batch.isEmpty else {
                if wait > .zero { isCaughtUp = true }
                return nil
            }
            applied = try await live.apply(batch, nowUs: nowUs(), parking: park)
        } catch {
            // What was read and not folded must be read again.
            let failure = error
            await liveReader.close()
            self.liveReader = nil
            throw failure
        }
        if !isCaughtUp, batch.count < liveBatch {
            isCaughtUp = ReadTarget(try await ends()).firstBehind(live.positions) == nil
        }
        return applied
    }

    /// One batch for the candidate; once it is where the live model is, the switch.
    private func advance(wait: Duration, _ park: (UnreadableRecord) async throws -> Void) async throws {
        guard try await hasArrived(wait: wait, park) else { return }
        if let building = candidate?.building {
            try finish(building)
        } else {
            try await switchOver()
        }
    }

    /// Reads a batch where the candidate is behind; whether it is no longer.
    private func hasArrived(
        wait: Duration,
        _ park: (UnreadableRecord) async throws -> Void
    ) async throws -> Bool {
        guard let model = candidate?.model else { return false }
        if candidate?.reader == nil { candidate?.reader = try await open(model) }
        if live == nil, candidate?.target == nil { candidate?.target = ReadTarget(try await ends()) }
        guard let reader = candidate?.reader, let behind = behind(model) else { return true }
        var isFolding = false
        let batch: [StoredRecord]
        do {
            batch = try await reader.next(max: candidateBatch, wait: wait)
            isFolding = true
            if !batch.isEmpty {
                _ = try await model.apply(batch, nowUs: nowUs(), isCatchingUp: true, parking: park)
            }
        } catch {
            let failure = error
            await reader.close()
            candidate?.reader = nil
            if isFolding { try buildAgain() }
            throw failure
        }
        if live == nil { try candidate?.target?.note(batch, behind: behind, model.positions) }
        return self.behind(model) == nil
    }

    private func behind(_ model: ReadModel) -> TopicPartition? {
        let target = live.map { ReadTarget($0.positions) } ?? candidate?.target
        return target?.firstBehind(model.positions)
    }

    /// A file without a journal is lost with the first batch that fails.
    private func buildAgain() throws {
        guard let lost = candidate, let building = lost.building else { return }
        candidate = nil
        try generations.discard(building)
        try build(lost.reason)
    }

    /// Completes the file and gives it its name; it then reads on to what has been appended meanwhile.
    private func finish(_ building: Generations.Building) throws {
        try candidate?.model?.complete()
        candidate?.model = nil
        try generations.publish(building)
        candidate?.building = nil
        candidate?.model = try ReadModel(path: generations.path(of: building.number), site: site)
        candidate?.target = nil
    }

    private func switchOver() async throws {
        guard let next = candidate, let model = next.model else { return }
        let from = active?.generation
        let isReturnable = from.map { next.number != $0 } ?? false
        try activate(next.number, next.reason, previous: isReturnable ? from : nil)
        await liveReader?.close()
        live = model
        liveReader = next.reader
        candidate = nil
        isCaughtUp = false
        try generations.collect()
    }

    // MARK: Requests and damage

    private func takeRequest() throws {
        let request: GenerationRequest?
        do {
            request = try generations.request()
        } catch {
            guard let reason = Self.damage(error) else { throw error }
            try refuse(reason)
            return
        }
        switch request {
        case nil: return
        case .setAside(let number, let reason)?:
            if number == active?.generation { foundDamage = (number, reason) }
            try generations.clearRequest()
        case .activate(let number, let reason)?:
            if number == active?.generation, live != nil {
                // Done, and interrupted before the request was taken away.
                try generations.clearRequest()
                try generations.collect()
            } else if candidate?.number != number {
                try consider(number, reason)
            }
        }
    }

    private func consider(_ number: Int, _ reason: SwitchReason) throws {
        guard try generations.numbers("generation").contains(number) else {
            try refuse("generation \(number) is not there; `lineledger rebuild` makes a new one")
            return
        }
        do {
            let model = try ReadModel(path: generations.path(of: number), site: site)
            if let abandoned = candidate?.building {
                candidate = nil
                try generations.discard(abandoned)
            }
            candidate = Candidate(number: number, reason: reason, model: model)
            happened.append(.catchingUp(number, reason))
        } catch let failure as ReadModelFailure {
            try refuse("\(failure)")
        } catch {
            guard let damage = Self.damage(error) else { throw error }
            try refuse(damage)
        }
    }

    private func refuse(_ reason: String) throws {
        happened.append(.refused(reason))
        try generations.clearRequest(refusal: reason)
    }

    /// A candidate that is not sound ends its request. What fails while a file is being built is not the file's fault.
    private func dropCandidate(_ error: any Error) async throws {
        guard let dropped = candidate, dropped.building == nil, let reason = Self.damage(error) else { throw error }
        await dropped.reader?.close()
        candidate = nil
        try generations.setAside(dropped.number)
        happened.append(.setAside(dropped.number, reason))
        if try generations.request() != nil { try refuse("generation \(dropped.number): \(reason)") }
        if live == nil { try build(dropped.reason) }
    }

    private func takeDamage() async throws {
        guard let found = foundDamage else { return }
        foundDamage = nil
        // A reader may tell of a generation that is no longer the active one.
        guard found.generation == active?.generation else { return }
        try await setAsideLive(found.reason)
    }

    private func setAsideLive(_ reason: String) async throws {
        await liveReader?.close()
        liveReader = nil
        live = nil
        try setAside(reason)
    }

    /// Takes the active generation out of use; until another one is ready, readers are told that there is none.
    private func setAside(_ reason: String) throws {
        guard let damaged = active else { return }
        isCaughtUp = false
        try generations.setAside(damaged.generation)
        try generations.deactivate()
        active = nil
        happened.append(.setAside(damaged.generation, reason))
        if candidate == nil { try build(.damage) }
    }

    // MARK: The log

    /// Reads from the model's positions, for every partition of every topic of the site.
    private func open(_ model: ReadModel) async throws -> any LogReader {
        let known = model.positions
        let ends = try await ends()
        for (place, end) in ends where !(0...end).contains(known[place] ?? 0) {
            throw ReadModelFailure.damaged(
                "\(place): read up to offset \(known[place] ?? 0), but the log ends at \(end); was the log restored?"
            )
        }
        return try await log.reader(from: Dictionary(uniqueKeysWithValues: ends.keys.map { ($0, known[$0] ?? 0) }))
    }

    private func ends() async throws -> [TopicPartition: Int64] { try await SiteTopics.ends(of: site, in: log) }

    /// What was found, if the error says that a file of ours is not sound; another error is not the file's.
    ///
    /// For the writer, whose statements fit every sound file.
    static func damage(_ error: any Error) -> String? {
        switch error {
        case ReadModelFailure.damaged(let reason): reason
        case ReadModelFailure.otherVersion(let path, let found, _): "\(path): version \(found) is none it was made with"
        case ReadModelFailure.otherSite(let path, let found, _): "\(path): site '\(found)' is none it was made for"
        case let error as SQLiteError where error.isCorrupt || error.isUnfit: "\(error)"
        default: nil
        }
    }
}
