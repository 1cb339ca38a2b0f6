import ArgumentParser
import EventLog
import Foundation
import PlantCore
import PlantEvents
import ServiceRuntime
import SwiftProtobuf

/// Work that was set aside: seen, explained, tried again, given up (M19, REL-04).
struct Parked: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See, explain, re-drive and discard records that were set aside and deliveries that were refused.",
        discussion: "Example: lineledger parked redrive --all --plant deploy/plants/demo.yaml",
        subcommands: [List.self, Show.self, Explain.self, Redrive.self, Discard.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What is set aside, why, and what it keeps up. Reads the log; services need not run.",
            discussion: "Example: lineledger parked list --plant deploy/plants/demo.yaml --service inspector"
        )
        @OptionGroup var which: ParkedChoice
        @Flag(help: "Those that were re-driven or discarded too.") var closed = false
        @Flag(help: "One JSON object for each.") var json = false

        func run() async throws {
            try await which.search(withClosed: closed) { found, _ in
                if json {
                    for work in found { try Terminal.say(json: work.row) }
                } else if found.isEmpty {
                    Terminal.say("nothing is set aside")
                } else {
                    let heading = ["id", "since", "state", "blocks", "reason"]
                    let rows = found.map(\.row).map {
                        [$0.id, ParkedText.time($0.since_us), $0.state, $0.blocks, String($0.reason.prefix(100))]
                    }
                    Terminal.say(Terminal.table([heading] + rows))
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The bytes of what is set aside, and every field that can be told from them without a schema.",
            discussion: "Example: lineledger parked show inspector:frames/0/4711 --plant deploy/plants/demo.yaml"
        )
        @OptionGroup var which: ParkedChoice
        @Flag(help: "One JSON object for each.") var json = false

        private struct Shown: Encodable {
            let id: String
            let key_hex: String
            let value_hex: String
            let fields: [String]
        }

        func run() async throws {
            try which.needsSome()
            try await which.search(withClosed: true) { found, search in
                for work in found {
                    let key: [UInt8]
                    let value: [UInt8]
                    switch work.kind {
                    case .record(let entry):
                        let content = try await search.shelf(work.service).content(of: entry.item)
                        (key, value) = (content.key, content.value)
                    case .delivery(let refused):
                        (key, value) = (Array(refused.intent.businessKey.utf8), try refused.intent.serializedBytes())
                    }
                    let shown = Shown(
                        id: work.id,
                        key_hex: ParkedText.hex(key),
                        value_hex: ParkedText.hex(value),
                        fields: RawMessage(value).lines()
                    )
                    if json {
                        try Terminal.say(json: shown)
                    } else {
                        let dump = ParkedText.dump(value)
                        Terminal.say(
                            "\(shown.id)\nkey \(shown.key_hex)\n\(dump)\n\(shown.fields.joined(separator: "\n"))"
                        )
                    }
                }
            }
        }
    }

    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Why it is set aside as this build sees it: expected, found, where, by whom, and what to do.",
            discussion: "Example: lineledger parked explain --all --plant deploy/plants/demo.yaml"
        )
        @OptionGroup var which: ParkedChoice
        @Flag(help: "One JSON object for each.") var json = false

        private struct Explained: Encodable {
            let id: String
            let blocks: String
            let explanation: Explanation
        }

        func run() async throws {
            try which.needsSome()
            try await which.search(withClosed: false) { found, search in
                for work in found {
                    let explained = Explained(
                        id: work.id,
                        blocks: work.row.blocks,
                        explanation: try await explanation(of: work, search)
                    )
                    if json { try Terminal.say(json: explained) } else { Terminal.say(text(explained)) }
                }
            }
        }

        private func explanation(of work: ParkedWork, _ search: ParkedSearch) async throws -> Explanation {
            switch work.kind {
            case .record(let entry):
                let content = try await search.shelf(work.service).content(of: entry.item)
                let topic = ParkedWork.short(entry.item.topic)
                return Explanation(content, topic: topic, build: ServiceContext.build)
            case .delivery(let refused):
                return Explanation(refused, by: work.service.rawValue)
            }
        }

        private func text(_ explained: Explained) -> String {
            let why = explained.explanation
            var lines = [explained.id, "  expected  \(why.expected)", "  found     \(why.found)"]
            if !why.place.isEmpty { lines.append("  where     \(why.place)") }
            lines += ["  written   by \(why.writtenBy)", "  blocks    \(explained.blocks)"]
            if !why.unknownFields.isEmpty {
                lines.append("  newer     fields \(why.unknownFields.joined(separator: ", ")) are unknown here")
            }
            return (lines + ["  to do     \(why.toDo)"]).joined(separator: "\n")
        }
    }

    struct Redrive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Have the owning service try again with its build of now; what is still not understood stays parked.",
            discussion: "Example: lineledger parked redrive inspector:frames/0/4711 --plant deploy/plants/demo.yaml"
        )
        @OptionGroup var which: ParkedChoice
        @Flag(help: "One JSON object for each.") var json = false

        func run() async throws {
            try await ParkedAction(
                which: which,
                path: ("parked/redrive", "deliveries/redrive"),
                reason: nil,
                json: json
            ).run()
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give up what is set aside, with a reason; what waits behind it goes on.",
            discussion: "Example: lineledger parked discard --all --service inspector --reason \"test data\""
        )
        @OptionGroup var which: ParkedChoice
        @Option(help: "Why; it is kept for ever.") var reason: String
        @Flag(help: "One JSON object for each.") var json = false

        func run() async throws {
            try await ParkedAction(
                which: which,
                path: ("parked/discard", "deliveries/skip"),
                reason: reason,
                json: json
            ).run()
        }
    }
}

/// Which of the set-aside things a command is about.
struct ParkedChoice: ParsableArguments {
    @Argument(help: "Ids as `parked list` gives them.") var ids: [String] = []
    @Flag(help: "Everything that is set aside.") var all = false
    @Option(help: "Of this service only.") var service: String?
    @OptionGroup var plant: PlantOption

    /// Throws unless something is named.
    func needsSome() throws {
        guard ids.isEmpty == all else {
            throw ValidationError("name ids as `lineledger parked list` gives them, or --all")
        }
    }

    /// Hands over what is chosen, and how to look into it.
    func search(withClosed: Bool, _ body: ([ParkedWork], ParkedSearch) async throws -> Void) async throws {
        let services = try chosenServices()
        let file = try plant.load()
        let log = try file.openLogOrExit()
        let search = ParkedSearch(log: log, plant: file)
        do {
            let (found, leftOut) = try await search.find(services, withClosed: withClosed)
            if leftOut > 0 { Terminal.complain("\(leftOut) more are not shown: deal with these first") }
            let known = Set(found.map(\.id))
            for id in ids where !known.contains(id) { Terminal.complain("\(id): not set aside") }
            try await body(ids.isEmpty ? found : found.filter { ids.contains($0.id) }, search)
            await log.close()
            guard ids.allSatisfy(known.contains) else { throw ExitStatus.problemFound }
        } catch let failure as LogFailure {
            Terminal.complain("\(failure)")
            throw ExitStatus.unreachable
        } catch let failure as ManagementClient.Failure {
            Terminal.complain("\(failure)")
            throw ExitStatus.unreachable
        } catch let missing as ParkedShelf.Missing {
            Terminal.complain("\(missing)")
            throw ExitStatus.problemFound
        }
    }

    private func chosenServices() throws -> [PlantProgram] {
        guard let service else { return ParkedSearch.services }
        guard let program = ParkedSearch.services.first(where: { $0.rawValue == service }) else {
            let names = ParkedSearch.services.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--service \(service): expected one of \(names)")
        }
        return [program]
    }
}

/// Has the owning services act, some at a time.
struct ParkedAction {
    let which: ParkedChoice
    /// Route for records, and for deliveries.
    let path: (records: String, deliveries: String)
    let reason: String?
    let json: Bool

    private struct Done: Encodable {
        let id: String
        let state: String
        let reason: String
    }

    func run() async throws {
        try which.needsSome()
        var left = 0
        try await which.search(withClosed: false) { found, search in
            var progress = ProgressLine()
            var count = 0
            for (service, own) in Dictionary(grouping: found, by: \.service).sorted(by: {
                $0.key.rawValue < $1.key.rawValue
            }) {
                for start in stride(from: 0, to: own.count, by: ParkedRoutes.itemsLimit) {
                    let some = Array(own[start..<min(own.count, start + ParkedRoutes.itemsLimit)])
                    for (work, answer) in try await act(service, some, ParkedClient(plant: search.plant)) {
                        if answer.state == .parked { left += 1 }
                        try say(work, answer)
                    }
                    count += some.count
                    if found.count > some.count {
                        progress.show(
                            "\(ProgressLine.bar(Double(count) / Double(found.count))) \(count)/\(found.count)"
                        )
                    }
                }
            }
            progress.finish()
        }
        guard left == 0 else { throw ExitStatus.problemFound }
    }

    private func act(_ service: PlantProgram, _ works: [ParkedWork], _ client: ParkedClient) async throws
        -> [(ParkedWork, ParkedDesk.Answer)]
    {
        var records: [(ParkedWork, ParkedDesk.Item)] = []
        var deliveries: [(ParkedWork, String)] = []
        for work in works {
            switch work.kind {
            case .record(let entry): records.append((work, entry.item))
            case .delivery(let refused): deliveries.append((work, refused.intent.intentID))
            }
        }
        var answers: [(ParkedWork, ParkedDesk.Answer)] = []
        if !records.isEmpty {
            let replies = try await client.ask(service, path.records, items: records.map(\.1), reason: reason)
            answers += zip(records.map(\.0), replies)
        }
        if !deliveries.isEmpty {
            let ids = deliveries.map(\.1)
            let replies = try await client.ask(service, path.deliveries, intentIDs: ids, reason: reason)
            answers += zip(deliveries.map(\.0), replies)
        }
        return answers
    }

    private func say(_ work: ParkedWork, _ answer: ParkedDesk.Answer) throws {
        if json {
            try Terminal.say(json: Done(id: work.id, state: answer.state.rawValue, reason: answer.reason))
        } else {
            Terminal.say("\(work.id): \(answer.state.rawValue), \(answer.reason)")
        }
    }
}

enum ParkedText {
    /// UTC, to the second.
    static func time(_ us: Int64) -> String {
        Date(timeIntervalSince1970: Double(us) / 1_000_000).formatted(.iso8601)
    }

    static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }.joined()
    }

    /// Sixteen bytes a line, with their offset.
    static func dump(_ bytes: [UInt8]) -> String {
        stride(from: 0, to: bytes.count, by: 16).map { start in
            let row = bytes[start..<min(bytes.count, start + 16)]
            let offset = String(start, radix: 16)
            return String(repeating: "0", count: max(0, 6 - offset.count)) + offset + "  "
                + row.map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }.joined(separator: " ")
        }.joined(separator: "\n")
    }
}
