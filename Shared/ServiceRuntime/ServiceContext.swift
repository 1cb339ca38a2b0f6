package import EventLog
package import Logging
package import PlantEvents
import SwiftProtobuf

/// What every part of a running service knows: who it is, its plant, its log, its clock.
package struct ServiceContext: Sendable {
    /// Executable, as in `Producer.service`.
    package let service: String
    /// This run of the executable.
    package let instance: String
    package let plant: PlantFile
    package let log: any EventLog
    package let logger: Logger
    /// Microseconds since 1970; the one clock of the service.
    package let nowUs: @Sendable () -> Int64
    /// The process' environment, where secrets are.
    package let environment: [String: String]
    /// Where people's requests about set-aside work come in.
    package let desk = ParkedDesk()

    package static let build = "0.1.0"

    package init(
        service: String,
        instance: String,
        plant: PlantFile,
        log: any EventLog,
        logger: Logger,
        nowUs: @escaping @Sendable () -> Int64,
        environment: [String: String] = [:]
    ) {
        self.service = service
        self.instance = instance
        self.plant = plant
        self.log = log
        self.logger = logger
        self.nowUs = nowUs
        self.environment = environment
    }

    package var producer: Producer {
        .with {
            $0.service = service
            $0.instance = instance
            $0.build = Self.build
        }
    }

    /// The place of something on `line` at `station`; both may be empty.
    package func place(line: String, station: String) -> Place {
        .with {
            $0.enterprise = plant.enterprise
            $0.site = plant.site
            $0.area = plant.area
            $0.workCenter = line
            $0.workUnit = station
        }
    }

    package func topic(_ topic: Topic) -> TopicName { TopicName(site: plant.site, topic: topic) }

    /// The partition of `topic` and its full name in the log.
    package func partition(_ topic: Topic, _ partition: Int32 = 0) -> TopicPartition {
        TopicPartition(self.topic(topic).description, partition)
    }
}
