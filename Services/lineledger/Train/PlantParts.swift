import ArgumentParser
import Evidence
import Foundation
import PlantCore
import ReadModel
import ServiceRuntime
import Vision

/// Which parts of a plant are learned from.
struct PartChoice: ParsableArguments {
    @Option(help: "File with the ids of good parts, one a line; - for standard input. Their kept pictures are used.")
    var parts: String?

    @Option(help: "Instead of --parts: this many parts that passed last and have a kept picture.")
    var passed: Int?

    @Option(help: "With --passed: only those of this station.")
    var station: String?

    var isGiven: Bool { parts != nil || passed != nil }

    func validate() throws {
        if parts != nil, passed != nil { throw ValidationError("--parts and --passed: expected one of them") }
        if let passed, !(1...LearnedTool.maxPictures).contains(passed) {
            throw ValidationError("--passed \(passed): expected 1 to \(LearnedTool.maxPictures)")
        }
        if station != nil, passed == nil { throw ValidationError("--station goes with --passed") }
    }
}

/// Parts of a plant with their kept pictures.
struct PlantParts {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Most bytes of a list of parts.
    private static let listLimit = 1 << 20

    /// In the order of the list, or oldest first.
    let pictures: [TrainingPicture]
    /// Item code, station and shift of the parts, each once.
    let strata: [String]
    /// Pictures that are kept with loss: not the pixels that were judged.
    let lossy: Int

    init(_ choice: PartChoice, of plant: PlantFile) throws {
        let queries = try Queries(path: plant.readModelPath)
        let parts = try choice.parts.map { try Self.named($0, queries) } ?? Self.passed(choice, queries)
        let store = try EvidenceStore(directory: plant.evidencePath, budgetBytes: Int(plant.evidence.budgetBytes))
        pictures = parts.map { part in
            TrainingPicture(name: part.partID) {
                guard let file = try store.file(pixelsSHA256: part.pixelsSha256) else {
                    throw Failure(
                        description:
                            "part \(part.partID): its picture \(part.pixelsSha256.prefix(12)) is on record but not in "
                            + "\(store.directory); ask on the machine that keeps the plant's pictures"
                    )
                }
                return try PictureCodec.decode(file.bytes, name: part.partID)
            }
        }
        let contexts = parts.map { [$0.sku, $0.station, $0.shift].filter { !$0.isEmpty }.joined(separator: ", ") }
        strata = Set(contexts).sorted()
        lossy = parts.count { $0.evidence?.lossless == false }
    }

    private static func named(_ list: String, _ queries: Queries) throws -> [PartInfo] {
        let bytes =
            list == "-"
            ? Array(try FileHandle.standardInput.read(upToCount: listLimit) ?? Data())
            : try Files.read(list, atMost: listLimit)
        let ids = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
        guard (1...LearnedTool.maxPictures).contains(ids.count), Set(ids).count == ids.count else {
            throw Failure(
                description: "\(list): \(ids.count) parts; expected 1 to \(LearnedTool.maxPictures), each once"
            )
        }
        return try ids.map { id in
            guard let part = try queries.part(id).last else {
                throw Failure(description: "part \(id): nothing with this id is known to the plant's read model")
            }
            guard let evidence = part.evidence, evidence.stored else {
                let reason = part.evidence.map { ": \($0.reason)" } ?? ""
                throw Failure(description: "part \(id): no picture of it is kept\(reason)")
            }
            return part
        }
    }

    private static func passed(_ choice: PartChoice, _ queries: Queries) throws -> [PartInfo] {
        let wanted = choice.passed ?? 0
        var filter = PartFilter()
        filter.verdict = "pass"
        filter.station = choice.station
        filter.limit = Queries.largestPage
        var found: [PartInfo] = []
        // A picture that came twice teaches nothing more and makes parts look alike.
        var pixels: Set<String> = []
        repeat {
            let page = try queries.parts(filter)
            found += page.parts.filter {
                $0.evidence?.stored == true && pixels.insert($0.pixelsSha256).inserted
            }
            filter.cursor = page.next
        } while found.count < wanted && filter.cursor != nil
        guard found.count >= wanted else {
            throw Failure(
                description: "\(found.count) parts that passed have a kept picture of their own; expected \(wanted) of "
                    + "them, see evidence.keep in the plant file"
            )
        }
        return found.prefix(wanted).reversed()
    }
}
