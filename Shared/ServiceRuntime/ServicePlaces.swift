package import Evidence
import Foundation
import PlantCore

extension PlantFile {
    /// A station with the line it stands at.
    package struct PlacedStation: Sendable {
        package let line: String
        package let station: Station
    }

    /// All stations of the plant.
    package var stationsByID: [String: PlacedStation] {
        var placed: [String: PlacedStation] = [:]
        for line in lines {
            for station in line.stations { placed[station.id] = PlacedStation(line: line.id, station: station) }
        }
        return placed
    }
}

/// Where the services of one plant keep what is not in the log; all of it can be had again from the log and the evidence.
extension ServiceContext {
    package var readModelPath: String { plant.readModelPath }

    /// The pixels' way from camera-ingest to inspector on one host.
    package func openRing(station: String) throws -> PixelRing {
        let folder = "\(plant.state)/run"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return try PixelRing(path: "\(folder)/pixels-\(station).ring")
    }

    /// The store of submitted recipes with the models and reports that belong to them.
    package func openRecipes() throws -> ContentStore {
        do {
            return try ContentStore(directory: plant.recipesPath, budgetBytes: Int(plant.recipes.budgetBytes))
        } catch {
            throw ServiceProgram.Stop.unreachable("\(error)")
        }
    }

    /// The store of judged pictures.
    package func openEvidence() throws -> EvidenceStore {
        do {
            return try EvidenceStore(directory: plant.evidencePath, budgetBytes: Int(plant.evidence.budgetBytes))
        } catch {
            throw ServiceProgram.Stop.unreachable("\(error)")
        }
    }
}

extension PlantFile {
    /// The folder of the kept pictures.
    package var evidencePath: String { "\(state)/evidence" }
    /// The folder of submitted recipes.
    package var recipesPath: String { "\(state)/recipes" }
    /// The folder of the projector's read models, one file a generation.
    package var readModelPath: String { "\(state)/read-model" }
}
