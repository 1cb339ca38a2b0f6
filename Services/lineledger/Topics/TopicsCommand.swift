import ArgumentParser
import EventLog
import Foundation
import PlantEvents
import ServiceRuntime
import SwiftProtobuf

/// The log's topics as they are.
struct Topics: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List, create, check and tail the topics of a plant's log; write down who needs which right.",
        discussion: "Example: lineledger topics tail inspections --plant deploy/plants/demo.yaml --count 3",
        subcommands: [List.self, Create.self, Check.self, Rights.self, Tail.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Topics with their partitions and records.")
        @OptionGroup var plant: PlantOption
        @Flag(help: "One JSON object for each topic.") var json = false

        private struct Row: Encodable {
            let topic: String
            let partitions: Int32
            let next_offsets: [Int64]
        }

        func run() async throws {
            let log = try plant.load().openLogOrExit()
            try await LogQuestion.ask {
                var rows: [Row] = []
                for topic in try await log.topics() {
                    let count = try await log.partitionCount(of: topic)
                    var ends: [Int64] = []
                    for number in 0..<count { ends.append(try await log.endOffset(of: TopicPartition(topic, number))) }
                    rows.append(Row(topic: topic, partitions: count, next_offsets: ends))
                }
                if json {
                    for row in rows { try Terminal.say(json: row) }
                } else {
                    let heading = [["topic", "partitions", "records"]]
                    Terminal.say(
                        Terminal.table(
                            heading
                                + rows.map { [$0.topic, "\($0.partitions)", "\($0.next_offsets.reduce(0, +))"] }
                        )
                    )
                }
            }
            await log.close()
        }
    }

    struct Tail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a topic's records as JSON, one on a line; without --count it waits for more."
        )
        @Argument(help: "Topic, for example inspections, or a full name.") var topic: String
        @OptionGroup var plant: PlantOption
        @Option(help: "First offset of each partition.") var from: Int64 = 0
        @Option(help: "Records to print.") var count: Int?

        func run() async throws {
            let file = try plant.load()
            let log = try file.openLogOrExit()
            let name = TopicName(topic).map(\.description) ?? "\(TopicName.prefix).\(file.site).\(topic)"
            let stop = StopSignal()
            try await LogQuestion.ask {
                var positions: [TopicPartition: Int64] = [:]
                for number in 0..<(try await log.partitionCount(of: name)) {
                    positions[TopicPartition(name, number)] = from
                }
                let reader = try await log.reader(from: positions)
                var left = count ?? Int.max
                while left > 0, !stop.isRequested {
                    let records = try await reader.next(max: min(left, 100), wait: .milliseconds(500))
                    for record in records { Terminal.say(try RecordLine(record).json()) }
                    left -= records.count
                }
                await reader.close()
            }
            await log.close()
        }
    }
}

/// Runs questions to a log; a log that cannot answer ends the command with 3.
enum LogQuestion {
    static func ask(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as LogFailure {
            Terminal.complain("\(failure)")
            throw ExitStatus.unreachable
        }
    }
}

/// One stored record as a line of JSON.
struct RecordLine {
    private let stored: StoredRecord

    init(_ stored: StoredRecord) {
        self.stored = stored
    }

    func json() throws -> String {
        let place = "\"partition\":\(stored.place.partition),\"offset\":\(stored.offset)"
        do {
            return "{\(place),\"record\":\(try decoded().jsonString())}"
        } catch {
            let reason = try String(decoding: JSONEncoder().encode("\(error)"), as: UTF8.self)
            return "{\(place),\"unreadable\":\(reason),\"bytes\":\(stored.record.value.count)}"
        }
    }

    private func decoded() throws -> any SwiftProtobuf.Message {
        let value = stored.record.value
        guard let name = TopicName(stored.place.topic) else { throw InvalidRecord("not a topic of ours") }
        guard let topic = Topic(rawValue: name.topic) else { return try Codec.decode(ParkedRecord.self, from: value) }
        switch try AnyRecord(topic: topic, value: value) {
        case .frames(let record): return record
        case .inspections(let record): return record
        case .production(let record): return record
        case .materials(let record): return record
        case .deliveries(let record): return record
        case .alarms(let record): return record
        case .decisions(let record): return record
        case .parked(let record): return record
        }
    }
}
