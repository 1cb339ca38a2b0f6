import EventLog
import Evidence
import Foundation
import PlantCore
import PlantEvents
import ServiceRuntime
import Vision

/// Reads everything that a plant keeps and names what is not as it was written (I7, I8): records whose bytes changed,
/// ranges that are gone, writers' numbers with holes, topics and ends of partitions that are lost, records that no build
/// understands, pictures that are missing or changed.
struct LogVerification {
    struct Finding: Encodable {
        /// Topic, partition and offset, or the file.
        let place: String
        let problem: String
    }

    struct Result: Encodable {
        var records = 0
        var bytes = 0
        /// Records of writers that had lost their partition, and repeats: every reader skips them, nothing is wrong.
        var void = 0
        var pictures = 0
        /// The first findings, in the order of places.
        var findings: [Finding] = []
        var problems = 0
    }

    /// Findings listed; all are counted.
    static let listed = 1_000

    let plant: PlantFile
    let log: any EventLog
    /// Whether the pictures are kept on this host.
    let withPictures: Bool
    private var result = Result()
    private var pictures: [String: (stored: String, trigger: String)] = [:]
    /// What was submitted, by content hash.
    private var submitted: [String: String] = [:]
    private var causes = CitedOrigins()

    init(plant: PlantFile, log: any EventLog, withPictures: Bool) {
        self.plant = plant
        self.log = log
        self.withPictures = withPictures
    }

    mutating func run(progress: (_ done: Int64, _ all: Int64) -> Void) async throws -> Result {
        let topics = try await log.topics().filter { TopicName($0)?.site == plant.site }
        if topics.isEmpty {
            found(plant.log, "no topic of site \(plant.site) is there; expected the log of a plant that has run")
        }
        try await findLostTopics()
        var ends: [TopicPartition: Int64] = [:]
        for topic in topics {
            do throws(LogFailure) {
                for partition in 0..<(try await log.partitionCount(of: topic)) {
                    let place = TopicPartition(topic, partition)
                    ends[place] = try await log.endOffset(of: place)
                }
            } catch {
                try isFinding(error, at: topic)
            }
        }
        let all = ends.values.reduce(0, +)
        var done: Int64 = 0
        for (place, end) in ends.sorted(by: { $0.key < $1.key }) where end > 0 {
            do throws(LogFailure) {
                try await verify(place, end) { progress(done + $0, all) }
            } catch {
                try isFinding(error, at: "\(place)")
            }
            done += end
        }
        await findLostCauses(ends)
        if withPictures { try verifyPictures() }
        if plant.writesDecisions { try verifyRecipes() }
        return result
    }

    /// Damage of one topic is found, and the others are still looked at; a log out of reach ends it.
    private mutating func isFinding(_ failure: LogFailure, at place: String) throws(LogFailure) {
        switch failure {
        case .corrupt, .unknown: found(place, "\(failure)")
        default: throw failure
        }
    }

    /// Topics of an embedded log of which only the companion files are left.
    private mutating func findLostTopics() async throws {
        guard let embedded = log as? EmbeddedLog else { return }
        for topic in try await embedded.lostTopics() where TopicName(topic)?.site == plant.site {
            found(topic, "its file is gone, and records were acknowledged; restore it from a mirror or a backup")
        }
    }

    /// Records that others name as their cause must be there, in whatever was read.
    private mutating func findLostCauses(_ ends: [TopicPartition: Int64]) async {
        for (origin, citing) in causes.missing where origin.site == plant.site {
            let place = TopicPartition("\(TopicName.prefix).\(origin.site).\(origin.topic)", Int32(origin.partition))
            // What was appended since belongs to a later verification.
            if let end = ends[place], let now = try? await log.endOffset(of: place), now > end { continue }
            found(
                "\(place)",
                "record \(origin.sequence) of epoch \(origin.epoch), the cause of \(citing), is not there, nor any after it; "
                    + "restore them from a mirror or a backup, or wait where a station's host still sends them"
            )
        }
    }

    private mutating func verify(
        _ place: TopicPartition,
        _ end: Int64,
        progress: (Int64) -> Void
    ) async throws(LogFailure) {
        let reader = try await log.reader(from: [place: 0])
        var fence = Fence()
        var next: Int64 = 0
        while next < end {
            let records = try await reader.next(max: 1_000, wait: .seconds(5))
            if records.isEmpty {
                found("\(place)/\(next)", "the log ends here, but says that it has \(end) records")
                break
            }
            for stored in records {
                next = max(next + 1, stored.offset + 1)
                verify(stored, &fence)
            }
            progress(min(next, end))
        }
        await reader.close()
    }

    private mutating func verify(_ stored: StoredRecord, _ fence: inout Fence) {
        let place = "\(stored.place)/\(stored.offset)"
        result.records += 1
        result.bytes += stored.record.byteCount
        if let damage = stored.damage { return found(place, damage) }
        let record: AnyRecord
        do {
            record = try Self.decode(stored)
        } catch {
            return found(place, "\(error)")
        }
        causes.note(record.meta, at: place, citing: !comesDown(stored.place.topic))
        switch fence.admit(record.meta) {
        case .accepted: break
        case .void: result.void += 1
        case .acceptedAfterGap(let expected, let found):
            self.found(
                place,
                "records \(expected) to \(found - 1) of epoch \(record.meta.origin.epoch) are missing before it"
            )
        }
        if case .decisions(let decisions) = record { note(decisions) }
        guard case .frames(let frames) = record else { return }
        for event in frames.events {
            switch event.kind {
            case .evidenceStored(let evidence):
                pictures[evidence.pixelsSha256] = (evidence.storedSha256, evidence.trigger.text)
            case .processImageStored(let image):
                pictures[image.pixelsSha256] = (image.storedSha256, "\(image.station), view \(image.view)")
            case .evidenceExpired(let expired):
                pictures[expired.pixelsSha256] = nil
            default: break
            }
        }
    }

    /// Whether the plant's log sends the topic here: the causes of its records may be of stations elsewhere.
    private func comesDown(_ topic: String) -> Bool {
        guard let name = TopicName(topic)?.topic else { return false }
        return plant.uplink?.down.contains { "\($0)" == name } ?? false
    }

    private static func decode(_ stored: StoredRecord) throws -> AnyRecord {
        guard let name = TopicName(stored.place.topic) else { throw InvalidRecord("not a topic of ours") }
        guard let topic = Topic(rawValue: name.topic) else {
            return .parked(try Codec.decode(from: stored.record.value))
        }
        return try AnyRecord(topic: topic, value: stored.record.value)
    }

    private mutating func note(_ record: DecisionRecord) {
        for event in record.events {
            switch event.kind {
            case .recipeSubmitted(let recipe):
                submitted[recipe.recipeSha256] = "recipe \(recipe.recipeID) revision \(recipe.revision)"
                for file in recipe.fileSha256 { submitted[file] = "a file of recipe \(recipe.recipeID)" }
            case .recipeTested(let test):
                submitted[test.reportSha256] = "the test report of \(test.recipeSha256.prefix(12))"
            case .performanceReviewed(let review):
                submitted[review.reportSha256] = "the review report of \(review.subjectSha256.prefix(12))"
            default: break
            }
        }
    }

    private mutating func verifyRecipes() throws {
        guard !submitted.isEmpty else { return }
        let store = try ContentStore(directory: plant.recipesPath, budgetBytes: Int(plant.recipes.budgetBytes))
        for (sha256, what) in submitted.sorted(by: { $0.key < $1.key }) {
            do {
                if try store.read(sha256) == nil {
                    found(
                        "content \(sha256)",
                        "\(what) is not there; bring it back from a copy of \(plant.recipesPath)"
                    )
                }
            } catch {
                found("content \(sha256)", "\(what): \(error)")
            }
        }
    }

    private mutating func verifyPictures() throws {
        let store = try EvidenceStore(directory: plant.evidencePath, budgetBytes: Int(plant.evidence.budgetBytes))
        var missing: [String] = []
        for (name, evidence) in pictures.sorted(by: { $0.key < $1.key }) {
            let place = "evidence \(name)"
            result.pictures += 1
            do {
                guard let file = try store.file(pixelsSHA256: name) else {
                    missing.append(evidence.trigger)
                    continue
                }
                let hash = hexSHA256(file.bytes)
                if hash != evidence.stored {
                    found(place, "the picture of part \(evidence.trigger) has changed: its file hashes to \(hash)")
                }
            } catch {
                found(place, "\(error)")
            }
        }
        guard let first = missing.min() else { return }
        found(
            plant.evidencePath,
            "\(missing.count) of \(result.pictures) pictures are not there, the first of part \(first); are they kept on a "
                + "station's host? then verify them there, and here with --no-pictures"
        )
    }

    private mutating func found(_ place: String, _ problem: String) {
        result.problems += 1
        if result.findings.count < Self.listed { result.findings.append(Finding(place: place, problem: problem)) }
    }
}
