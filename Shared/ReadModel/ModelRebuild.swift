package import EventLog
import Foundation

/// Builds a model from the log alone and compares it with the live one at the same positions (M01, I5), beside the
/// running projector.
package struct ModelRebuild {
    /// The models at `positions`, and in what they differ.
    package struct Outcome: Sendable {
        package let report: RebuildReport
        /// Both digests are of here: the next offset of each partition.
        package let positions: [TopicPartition: Int64]
        /// The generation that was compared with, or is damaged.
        package let liveGeneration: Int?
        /// Empty where there is no live model to compare with; `liveProblem` then says why.
        package let liveDigest: String
        package let liveProblem: String?
        package let tables: [TableDigest]
        package let differences: [TableDifference]
        /// The new generation; nil when the file was made elsewhere.
        package let generation: Int?
        package let path: String

        package var isEqual: Bool { liveProblem == nil && liveDigest == report.digest }
    }

    /// What is being done, for a progress line.
    package enum Progress: Equatable, Sendable {
        case reading(Int64, of: Int64)
        case comparing
    }

    package let log: any EventLog
    package let generations: Generations
    package let site: String

    package init(log: any EventLog, generations: Generations, site: String) {
        self.log = log
        self.generations = generations
        self.site = site
    }

    /// - Parameters:
    ///   - path: a new file elsewhere; nil makes a new generation, which is not the active one yet.
    ///   - clockUs: asked for the time, microseconds since 1970.
    package func run(
        into path: String? = nil,
        clockUs: () -> Int64,
        progress: (Progress) -> Void
    ) async throws -> Outcome {
        if let path {
            guard !FileManager.default.fileExists(atPath: path) else { throw ReadModelFailure.exists(path: path) }
            return try await run(path, nil, clockUs, progress)
        }
        let building = try generations.startBuilding()
        do {
            return try await run(building.path, building, clockUs, progress)
        } catch {
            let failure = error
            try generations.discard(building)
            throw failure
        }
    }

    private func run(
        _ path: String,
        _ building: Generations.Building?,
        _ clockUs: () -> Int64,
        _ progress: (Progress) -> Void
    ) async throws -> Outcome {
        let first = try await wanted()
        let report = try await ReadModel.rebuild(
            log: log,
            into: path,
            site: site,
            upTo: first.positions,
            clockUs: clockUs
        ) { progress(.reading($0, of: $1)) }
        if let building { try generations.publish(building) }
        let final = building.map { generations.path(of: $0.number) } ?? path
        progress(.comparing)
        return try await compare(final, building?.number, report, first.problem, clockUs)
    }

    /// How far the live model has read; the log's ends where it cannot be asked.
    private func wanted() async throws -> (positions: [TopicPartition: Int64], problem: Problem?) {
        let ends = try await SiteTopics.ends(of: site, in: log)
        do {
            let live = try Queries(path: generations.folder)
            guard !live.isStale else {
                throw ReadModelFailure.otherVersion(
                    path: generations.folder,
                    found: live.version,
                    expected: Schema.version
                )
            }
            let positions = try live.positions()
            for (place, position) in positions where !(0...(ends[place] ?? 0)).contains(position) {
                throw ReadModelFailure.damaged("\(place): offset \(position) is beyond the log's \(ends[place] ?? 0)")
            }
            return (positions, nil)
        } catch {
            guard let problem = self.problem(error) else { throw error }
            return (ends, problem)
        }
    }

    /// Brings the new model to where the live one is now, and holds that while both are read.
    private func compare(
        _ path: String,
        _ number: Int?,
        _ report: RebuildReport,
        _ problem: Problem?,
        _ clockUs: () -> Int64
    ) async throws -> Outcome {
        let rebuilt = try ReadModel(path: path, site: site)
        func outcome(
            _ followed: ReadModel.Followed,
            _ live: (generation: Int?, tables: [TableDigest], differences: [TableDifference])?,
            _ problem: Problem?
        ) throws -> Outcome {
            let tables = try rebuilt.tableDigests()
            let whole = RebuildReport(
                records: report.records + followed.records,
                events: report.events + followed.events,
                parked: report.parked + followed.parked,
                seconds: report.seconds,
                digest: try ModelDigest.digest(of: tables)
            )
            return Outcome(
                report: whole,
                positions: rebuilt.positions.filter { $0.value > 0 },
                liveGeneration: live?.generation ?? problem?.damaged,
                liveDigest: try live.map { try ModelDigest.digest(of: $0.tables) } ?? "",
                liveProblem: problem?.text,
                tables: tables,
                differences: live?.differences ?? [],
                generation: number,
                path: path
            )
        }
        if let problem { return try outcome(.init(), nil, problem) }
        do {
            let live = try Queries(path: generations.folder)
            try live.hold()
            let followed = try await rebuilt.follow(log, upTo: try live.positions(), nowUs: clockUs())
            let old = try ModelDigest.tables(of: live.database)
            let new = try rebuilt.tableDigests()
            let different = Set(zip(old, new).filter { $0 != $1 }.map(\.0.table))
            let differences = try ModelComparison(live: live.database, rebuilt: rebuilt.database).differences(
                in: different
            )
            try live.release()
            return try outcome(followed, (live.generation, old, differences), nil)
        } catch {
            guard let problem = self.problem(error) else { throw error }
            return try outcome(.init(), nil, problem)
        }
    }

    /// Why there is nothing to compare with.
    private struct Problem {
        let text: String
        /// The generation that is not sound; nil where there is none, or one of another version.
        var damaged: Int?
    }

    /// Nil for an error that is not the live model's.
    private func problem(_ error: any Error) -> Problem? {
        if let failure = error as? ReadModelFailure, failure.isPassing { return Problem(text: "\(failure)") }
        guard let text = Projection.damage(error) else { return nil }
        // Where the name itself is damaged, there is no generation to set aside.
        return Problem(text: text, damaged: (try? generations.active())?.generation)
    }
}

extension Generations {
    /// How a switch came about.
    package enum Switched: Equatable, Sendable {
        /// No projector was running; the name is replaced.
        case done(ActiveGeneration)
        /// The projector is running, or must do it when it starts; it has been asked.
        case asked
    }

    /// Makes `number` the active generation: by the projector where one is running, else here.
    ///
    /// Here it first reads on to where the active one is, and no further: what lies beyond is the projector's, which parks
    /// what cannot be understood.
    package func switchOver(
        to number: Int,
        _ reason: SwitchReason,
        log: any EventLog,
        site: String,
        nowUs: Int64
    ) async throws -> Switched {
        guard let lock = try lockWriter() else {
            try ask(.activate(number, reason))
            return .asked
        }
        defer { withExtendedLifetime(lock) {} }
        guard let old = try active() else {
            try ask(.activate(number, reason))
            return .asked
        }
        let live = try Queries(path: path(of: old.generation))
        guard try numbers("generation").contains(number) else { throw ReadModelFailure.noModel(path: path(of: number)) }
        let model = try ReadModel(path: path(of: number), site: site)
        _ = try await model.follow(log, upTo: try live.positions(), nowUs: nowUs)
        let next = ActiveGeneration(
            generation: number,
            previous: old.generation,
            version: Schema.version,
            site: site,
            reason: reason
        )
        try activate(next)
        try collect()
        return .done(next)
    }
}
