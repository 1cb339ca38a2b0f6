package import EventLog
import Foundation
import KafkaLog
import Logging
package import PlantEvents

extension PlantFile {
    /// The partition of `frames` and `inspections` that a station's records go to: what the plant file says, else the one
    /// that Kafka's clients choose for the station's id, which is the records' key.
    package func partition(of station: Station) -> Int32 {
        station.partition ?? JavaPartitioner.partition(of: Array(station.id.utf8), count: Int32(partitions))
    }

    /// The stations of one partition, by id.
    package func stations(in partition: Int32) -> [String: PlacedStation] {
        stationsByID.filter { self.partition(of: $0.value.station) == partition }
    }

    /// The partitions that have stations.
    package var stationPartitions: Set<Int32> { Set(stationsByID.values.map { partition(of: $0.station) }) }
}

extension ServiceContext {
    /// Says which stations' partitions this process works for: those of `LINELEDGER_PARTITIONS` (`0,2`), where it is set; on
    /// Kafka what the group of the service's instances gives it, where there is more than one partition to share; else all.
    package func stationOwnership(of topic: Topic) async throws -> any PartitionOwnership {
        if let text = environment["LINELEDGER_PARTITIONS"], !text.isEmpty {
            return StaticOwnership(try Self.partitions(text, of: plant.partitions))
        }
        guard plant.partitions > 1, let kafka = log as? KafkaLog else {
            return StaticOwnership(plant.stationPartitions)
        }
        let name = self.topic(topic).description
        var backoff = Backoff()
        while true {
            do {
                try await log.create(topic: name, partitions: Int32(plant.partitions))
                return try await kafka.ownership(
                    of: name,
                    group: TopicAccess.group(of: service, site: plant.site)
                )
            } catch {
                guard error.isRetriable else { throw error }
                logger.warning("partitions are not known yet; waiting", metadata: ["reason": "\(error)"])
                try await Task.sleep(for: backoff.next())
            }
        }
    }

    private static func partitions(_ text: String, of count: Int) throws -> Set<Int32> {
        let numbers = text.split(separator: ",").map { Int32($0.trimmingCharacters(in: .whitespaces)) }
        let known = numbers.compactMap(\.self).filter { (0..<Int32(count)).contains($0) }
        guard !known.isEmpty, known.count == numbers.count else {
            throw ServiceProgram.Stop.wrongUse(
                "LINELEDGER_PARTITIONS: found \"\(text)\"; expected partitions from 0 to \(count - 1), joined by commas"
            )
        }
        return Set(known)
    }
}
