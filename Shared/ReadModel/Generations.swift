import Crypto
import Foundation
import Glibc

/// Why a generation became the active one.
package enum SwitchReason: String, Codable, Sendable {
    /// The folder was empty.
    case first
    /// A person had it rebuilt and compared.
    case rebuild
    /// A person went back to the generation before.
    case rollback
    /// The one before was made by another version of the model.
    case version
    /// The one before was damaged.
    case damage
}

/// Which generation readers open.
package struct ActiveGeneration: Codable, Equatable, Sendable {
    package let generation: Int
    /// The one before, to which a person can go back.
    package let previous: Int?
    /// `Schema.version` of its file.
    package let version: Int64
    package let site: String
    package let reason: SwitchReason

    package init(generation: Int, previous: Int?, version: Int64, site: String, reason: SwitchReason) {
        self.generation = generation
        self.previous = previous
        self.version = version
        self.site = site
        self.reason = reason
    }
}

/// What a command asks the projector for; it answers by doing it, or with a refusal.
package enum GenerationRequest: Codable, Equatable, Sendable {
    /// Bring this generation up to the active one and make it the active one.
    case activate(Int, SwitchReason)
    /// Set the active generation aside, for what was found wrong in it, and rebuild.
    case setAside(Int, String)
}

/// The read models of a plant: one SQLite file a generation in one folder, and a small file, replaced as a whole, that
/// names the active one (Shared/decisions/0015).
///
/// Readers open what `active` names and stay on that file for the whole of an answer. One process, the holder of
/// `writer.lock`, writes the active generation and replaces the name. A generation that is being built is called
/// `building-…` and locked by its builder, so that what a crash left behind is told from what is under way.
package struct Generations: Sendable {
    package let folder: String
    /// Told of each change of the folder before it is made; what it throws keeps the change from being made.
    private let onStep: @Sendable (Step) throws -> Void

    /// The changes of the folder, each of them whole or not at all.
    package enum Step: Equatable, Sendable {
        case publish, activate, deactivate, ask, clearRequest, refuse
        case setAside(String), remove(String)
    }

    package init(folder: String, onStep: @escaping @Sendable (Step) throws -> Void = { _ in }) {
        self.folder = folder
        self.onStep = onStep
    }

    /// Generations on disk at most, besides those being built: the active one, the one before, one asked for.
    package static let kept = 3

    package func path(of generation: Int) -> String { "\(folder)/\(Self.name("generation", generation))" }
    func damagedPath(of generation: Int) -> String { "\(folder)/\(Self.name("damaged", generation))" }
    private var activePath: String { "\(folder)/active" }
    private var requestPath: String { "\(folder)/request" }
    private var refusedPath: String { "\(folder)/refused" }

    private static func name(_ kind: String, _ number: Int) -> String {
        let digits = String(number)
        return "\(kind)-\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits).sqlite"
    }

    /// Whether `path` is a folder of generations rather than one model's file.
    static func isFolder(_ path: String) -> Bool {
        var isFolder = ObjCBool(false)
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    func make() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    // MARK: Names

    /// The numbers of all files of a kind: `generation`, `building`, `damaged`.
    func numbers(_ kind: String) throws -> [Int] {
        guard Self.isFolder(folder) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { name in
            guard name.hasPrefix(kind + "-"), name.hasSuffix(".sqlite") else { return nil }
            return Int(name.dropFirst(kind.count + 1).dropLast(7))
        }.sorted()
    }

    /// The name of the active generation; nil where there is none.
    package func active() throws -> ActiveGeneration? { try Self.read(ActiveGeneration.self, activePath) }

    /// Switches: from here on, readers open this generation.
    package func activate(_ active: ActiveGeneration) throws {
        try onStep(.activate)
        try Self.write(active, activePath)
    }

    /// From here on, readers find no model.
    func deactivate() throws {
        try onStep(.deactivate)
        try DurableFile.remove(activePath)
        try DurableFile.syncFolder(of: activePath)
    }

    // MARK: The projector and the command

    /// The right to write; nil while a projector, or a command in its place, has it.
    package func lockWriter() throws -> FileLock? {
        try make()
        return try FileLock.take("\(folder)/writer.lock")
    }

    package func ask(_ request: GenerationRequest) throws {
        try onStep(.ask)
        try DurableFile.remove(refusedPath)
        try Self.write(request, requestPath)
    }

    /// What is asked for; costs one look at the folder where nothing is.
    func request() throws -> GenerationRequest? { try Self.read(GenerationRequest.self, requestPath) }

    /// Takes the request away: done, withdrawn, or refused with a reason.
    package func clearRequest(refusal: String? = nil) throws {
        if let refusal {
            try onStep(.refuse)
            try Self.write(refusal, refusedPath)
        }
        try onStep(.clearRequest)
        try DurableFile.remove(requestPath)
    }

    /// Why the last request was refused.
    package func refusal() throws -> String? { try Self.read(String.self, refusedPath) }

    /// Whether a request still waits.
    package var isAsked: Bool { access(requestPath, F_OK) == 0 }

    // MARK: Files

    /// A generation under construction; its builder alone knows the file.
    struct Building {
        let number: Int
        let path: String
        let lock: FileLock
    }

    func startBuilding() throws -> Building {
        try make()
        try removeAbandoned()
        let known = try ["generation", "building", "damaged"].flatMap { try numbers($0) }
        var number = (known.max() ?? 0) + 1
        // Another builder may take a number first; each takes the next free one.
        for _ in 0..<100 {
            let path = "\(folder)/\(Self.name("building", number))"
            if let lock = try FileLock.take(path, isNew: true) {
                return Building(number: number, path: path, lock: lock)
            }
            number += 1
        }
        throw FileFailure(path: folder, doing: "naming a new generation", code: EEXIST)
    }

    /// Gives a complete, closed file its name; it is not active by that.
    func publish(_ building: Building) throws {
        try onStep(.publish)
        try DurableFile.sync(building.path)
        try DurableFile.rename(building.path, to: path(of: building.number))
    }

    func discard(_ building: Building) throws {
        try removeFile(building.path)
    }

    /// Removes what builders left that are no more.
    func removeAbandoned() throws {
        for number in try numbers("building") {
            let path = "\(folder)/\(Self.name("building", number))"
            guard try FileLock.take(path) != nil else { continue }
            try removeFile(path)
        }
    }

    package func remove(_ generation: Int) throws {
        try removeFile(path(of: generation))
    }

    /// Takes a damaged generation out of use and keeps it for those who want to know; one such is kept. The database
    /// goes first, so that a crash in between never leaves it without its write-ahead log under its old name.
    func setAside(_ generation: Int) throws {
        for older in try numbers("damaged") { try removeFile(damagedPath(of: older)) }
        for suffix in ["", "-wal", "-shm"] where access(path(of: generation) + suffix, F_OK) == 0 {
            try onStep(.setAside(suffix))
            try DurableFile.rename(path(of: generation) + suffix, to: damagedPath(of: generation) + suffix)
        }
    }

    /// Removes every generation but the active one, the one before, and the one that is asked for. Who reads one of the
    /// others just now keeps its file until the answer is made.
    func collect() throws {
        guard let active = try active() else { return }
        var wanted: Set<Int> = [active.generation]
        if let previous = active.previous { wanted.insert(previous) }
        if case .activate(let asked, _)? = try request() { wanted.insert(asked) }
        // A newer one has just been published, and is about to be asked for.
        for number in try numbers("generation") where !wanted.contains(number) && number < active.generation {
            try removeFile(path(of: number))
        }
        let newer = try numbers("generation").filter { $0 > active.generation && !wanted.contains($0) }
        for number in newer.dropLast() { try removeFile(path(of: number)) }
    }

    private func removeFile(_ path: String) throws {
        for suffix in ["", "-wal", "-shm", "-journal"] where access(path + suffix, F_OK) == 0 {
            try onStep(.remove(suffix))
            try DurableFile.remove(path + suffix)
        }
    }

    // MARK: Small files

    /// SHA-256 of the rest on the first line, then JSON.
    private static func write(_ value: some Encodable, _ path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = try encoder.encode(value)
        try DurableFile.replace(path, with: Array((checksum(body) + "\n").utf8) + body + [UInt8(ascii: "\n")])
    }

    /// Nil where there is no such file; a damaged one is named.
    private static func read<Value: Decodable>(_: Value.Type, _ path: String) throws -> Value? {
        guard access(path, F_OK) == 0 else { return nil }
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch CocoaError.fileReadNoSuchFile {
            return nil
        }
        let lines = data.split(separator: UInt8(ascii: "\n"), maxSplits: 1)
        guard lines.count == 2, lines[1].last == UInt8(ascii: "\n"),
            String(decoding: lines[0], as: UTF8.self) == checksum(lines[1].dropLast())
        else { throw ReadModelFailure.damaged("\(path): checksum does not match") }
        return try JSONDecoder().decode(Value.self, from: Data(lines[1]))
    }

    private static func checksum(_ body: Data) -> String { HashCell.hex(SHA256.hash(data: body)) }
}
