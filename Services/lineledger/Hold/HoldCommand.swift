import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import ReadModel
import ServiceRuntime

/// What is on hold, and legal holds (TRC-16).
struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold",
        abstract: "List what is on hold; place and lift legal holds, whose pictures never expire.",
        discussion: "Example: lineledger hold list --plant deploy/plants/demo.yaml",
        subcommands: [List.self, PlaceLegal.self, LiftLegal.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Open quality holds, and legal holds with who placed them, why and since when.",
            discussion: "Example: lineledger hold list --legal --json"
        )
        @Flag(help: "Legal holds only.") var legal = false
        @Flag(help: "Lifted legal holds too.") var lifted = false
        @OptionGroup var plant: PlantOption
        @Flag(help: "One JSON object on standard output.") var json = false

        private struct Listing: Encodable {
            let holds: [HoldInfo]
            let legalHolds: [LegalHoldInfo]
        }

        func run() async throws {
            let file = try plant.load()
            let listing: Listing
            do {
                let queries = try Queries(path: file.readModelPath)
                listing = Listing(
                    holds: legal ? [] : try queries.holds().filter(\.isOpen),
                    legalHolds: try queries.legalHolds().filter { lifted || $0.stands }
                )
            } catch {
                Terminal.complain("\(file.readModelPath): \(error); run the plant first, or `lineledger rebuild`")
                throw ExitStatus.unreachable
            }
            guard !json else {
                return Terminal.say(String(decoding: try Queries.json(listing), as: UTF8.self))
            }
            guard !listing.holds.isEmpty || !listing.legalHolds.isEmpty else {
                return Terminal.say("nothing is on hold")
            }
            let holds = listing.holds.map {
                [$0.holdID, $0.subjectKind, $0.subjectID, HoldText.time($0.placedAtUs), $0.rule, $0.reason]
            }
            let legalHolds = listing.legalHolds.map {
                let state = $0.stands ? "legal" : "legal, lifted by \($0.liftedBy ?? "")"
                return [
                    $0.legalHoldID, state, $0.subjectIds.joined(separator: " "), HoldText.time($0.placedAtUs),
                    $0.placedBy, $0.reason,
                ]
            }
            Terminal.say(Terminal.table([["hold", "kind", "subject", "since", "by", "why"]] + legalHolds + holds))
        }
    }

    struct PlaceLegal: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "place-legal",
            abstract: "Keep all pictures of parts, batches, lots, orders, stations or lines until the hold is lifted.",
            discussion: """
                Whatever has one of the ids is held: a part by serial number or trigger, a batch, a material lot, an order, a
                customer order, a station, a line. For a supplier's lot or a shipment, trace it and name what it leads to. What
                has expired before is gone.

                Example: lineledger hold place-legal B-1001 ML-1 --reason "case 12" --person lea --plant plant.yaml
                """
        )
        @Argument(help: "Ids to hold, one or more.") var subjects: [String]
        @OptionGroup var by: HoldActor

        func run() async throws {
            let reply = try await by.send(LegalHoldWire.manage, subjects)
            guard let id = reply.legalHoldID else { return }
            try by.say(id, "legal hold \(id) stands on \(subjects.joined(separator: ", "))")
        }
    }

    struct LiftLegal: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "lift-legal",
            abstract: "End a legal hold; its pictures are then kept as the plant's keeping policy says.",
            discussion:
                "Example: lineledger hold lift-legal LH-2 --reason \"case 12 closed\" --person lea --plant plant.yaml"
        )
        @Argument(help: "Id of the legal hold, as hold list shows it.") var id: String
        @OptionGroup var by: HoldActor

        func validate() throws {
            guard id.wholeMatch(of: /[A-Za-z0-9_-]{1,64}/) != nil else {
                throw ValidationError("\(id): expected the id of a legal hold, such as LH-2")
            }
        }

        func run() async throws {
            _ = try await by.send(LegalHoldWire.lift(id))
            try by.say(id, "legal hold \(id) is lifted")
        }
    }
}

/// Who decides, and why.
struct HoldActor: ParsableArguments {
    @Option(help: "Why; it is kept for ever.") var reason: String
    @Option(help: "Person who decides. Nobody signs in yet: the record says that you, as this system user, named them.")
    var person: String
    @OptionGroup var plant: PlantOption
    @Flag(help: "One JSON object on standard output.") var json = false

    private struct Said: Encodable {
        let legal_hold_id: String
    }

    func say(_ id: String, _ text: String) throws {
        if json { try Terminal.say(json: Said(legal_hold_id: id)) } else { Terminal.say(text) }
    }

    /// Has the console decide; what it refuses ends the command with 1, a console that does not answer with 3.
    func send(_ path: String, _ subjects: [String] = []) async throws -> LegalHoldWire.Reply {
        let request = LegalHoldWire.Request(
            requestID: UUID().uuidString.lowercased(),
            person: person,
            systemUser: NSUserName(),
            reason: reason,
            subjectIDs: subjects
        )
        let console = ManagementClient(plant: try plant.load(), service: .console)
        let answer: ManagementClient.Answer
        do {
            answer = try await console.send(.POST, path, .bytes(try JSONEncoder().encode(request)))
        } catch let failure as ManagementClient.Failure {
            Terminal.complain("\(failure)")
            throw ExitStatus.unreachable
        }
        guard answer.status == 200 else {
            Terminal.complain(answer.error.isEmpty ? "console answered \(answer.status)" : answer.error)
            throw answer.status >= 500 ? ExitStatus.unreachable : ExitStatus.problemFound
        }
        return try JSONDecoder().decode(LegalHoldWire.Reply.self, from: answer.body)
    }
}

private enum HoldText {
    static func time(_ us: Int64) -> String {
        Date(timeIntervalSince1970: Double(us) / 1_000_000).formatted(.iso8601)
    }
}
