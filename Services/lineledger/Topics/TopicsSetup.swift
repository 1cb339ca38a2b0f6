import ArgumentParser
import EventLog
import KafkaLog
import PlantEvents
import ServiceRuntime

extension Topics {
    /// Runs as the principal `admin` of the plant file's `kafka:` section, which may create topics.
    private static let administrator = "admin"

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create the topics that services write, with the settings that history needs.",
            discussion: """
                Example: lineledger topics create --plant plant.yaml
                On Kafka it runs as the principal "admin"; topics that exist are left as they are.
                """
        )
        @OptionGroup var plant: PlantOption
        @Flag(help: "One JSON object for each topic.") var json = false

        private struct Row: Encodable {
            let topic: String
            let partitions: Int32
        }

        func run() async throws {
            let file = try plant.load()
            let log = try file.openLogOrExit(as: Topics.administrator)
            try await LogQuestion.ask {
                for needed in TopicAccess.topics(of: file) {
                    try await log.create(topic: needed.name, partitions: needed.partitions)
                    let count = try await log.partitionCount(of: needed.name)
                    if json {
                        try Terminal.say(json: Row(topic: needed.name, partitions: count))
                    } else {
                        Terminal.say("\(needed.name): \(count) partition(s)")
                    }
                }
            }
            await log.close()
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compare a Kafka cluster's topics with what the history in them needs.",
            discussion: """
                Example: lineledger topics check --plant plant.yaml
                Exit codes: 0 all as needed, 1 something is not, 2 wrong use, 3 the brokers could not be reached.
                """
        )
        @OptionGroup var plant: PlantOption
        @Flag(help: "One JSON object for each setting that is not as needed.") var json = false

        func run() async throws {
            let file = try plant.load()
            let log = try file.openLogOrExit(as: Topics.administrator)
            guard let kafka = log as? KafkaLog else {
                Terminal.complain("\(file.log): not on Kafka; an embedded log needs no settings")
                throw ExitStatus.wrongUse
            }
            var drift: [TopicDrift] = []
            let needed = TopicAccess.topics(of: file)
            try await LogQuestion.ask {
                for topic in needed { drift += try await kafka.drift(of: topic.name, partitions: topic.partitions) }
            }
            await log.close()
            for found in drift {
                if json {
                    try Terminal.say(json: found)
                } else {
                    Terminal.say("\(found.topic): \(found.setting): found \(found.found), needed \(found.needed)")
                }
            }
            if !drift.isEmpty { throw ExitStatus.problemFound }
            if !json { Terminal.say("\(needed.count) topics are as needed") }
        }
    }

    struct Rights: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "acl",
            abstract: "Write down the least rights that each service needs in Kafka.",
            discussion: "Example: lineledger topics acl --plant plant.yaml --format commands | sh"
        )

        enum Format: String, CaseIterable, ExpressibleByArgument {
            case commands, strimzi, json
        }

        @OptionGroup var plant: PlantOption
        @Option(help: "commands (kafka-acls.sh), strimzi (KafkaUser resources) or json.") var format = Format.commands
        @Flag(help: "The same as --format json.") var json = false
        @Option(help: "Name of the Strimzi cluster.") var cluster = "plant"

        func run() async throws {
            let file = try plant.load()
            let rights = KafkaRights(file)
            switch json ? .json : format {
            case .commands: for command in rights.commands { Terminal.say(command) }
            case .strimzi:
                let authentication = file.kafka.sasl == nil ? "tls" : "scram-sha-512"
                Terminal.say(rights.strimzi(cluster: cluster, authentication: authentication))
            case .json: try Terminal.say(json: rights.rights)
            }
        }
    }
}
