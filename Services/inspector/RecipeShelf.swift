import Foundation
import PlantCore
import PlantEvents
import ServiceRuntime
import SwiftProtobuf
import Vision

/// The recipe files of the plant's stations, loaded when a station's order asks for one.
struct RecipeShelf: Sendable {
    enum Loading: Sendable {
        case ready(Judge, RecipeActivated)
        case refused(RecipeRefused)
    }

    private let stations: [String: PlantFile.Station]

    init(_ stations: [String: PlantFile.Station]) {
        self.stations = stations
    }

    /// Loads the recipe that `wish` names at `station`: the default one where it names none.
    func load(_ wish: RecipeWish, station: String) -> Loading {
        do {
            let (recipe, folder) = try find(wish, station: station)
            guard recipe.station == station else {
                throw Unusable("recipe \(recipe.id) is for station \(recipe.station), not \(station)")
            }
            guard wish.recipeSHA256.isEmpty || wish.recipeSHA256 == recipe.sha256 else {
                throw Unusable(
                    "the order approves content \(wish.recipeSHA256.prefix(12)), the plant has "
                        + "\(recipe.sha256.prefix(12)); bring the approved file or have this one approved"
                )
            }
            let judge = try Judge(recipe: recipe, directory: folder)
            return .ready(judge, recipe.activated(at: station, models: judge.modelSHA256s))
        } catch {
            return .refused(
                .with {
                    $0.station = station
                    $0.recipeID = wish.recipeID
                    $0.recipeSha256 = wish.recipeSHA256
                    $0.reason = "\(error)"
                }
            )
        }
    }

    private func find(_ wish: RecipeWish, station: String) throws -> (Recipe, folder: String) {
        guard let known = stations[station] else { throw Unusable("no station \(station) in the plant file") }
        var seen: [String] = []
        for path in [known.recipe] + known.recipes {
            let recipe = try Recipe.load(path: path)
            if wish.recipeID.isEmpty || wish.recipeID == recipe.id {
                return (recipe, (path as NSString).deletingLastPathComponent)
            }
            seen.append(recipe.id)
        }
        throw Unusable("no recipe \(wish.recipeID) at the station; it has \(seen.joined(separator: ", "))")
    }

    private struct Unusable: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }
}

extension Recipe {
    fileprivate func activated(at station: String, models: [String]) -> RecipeActivated {
        .with {
            $0.station = station
            $0.recipeID = id
            $0.revision = revision
            $0.recipeSha256 = sha256
            $0.modelSha256 = models
            $0.controlPlanRevision = controlPlan
            $0.reactionPlan = .with {
                $0.holdOnCategories = reaction.holdOn
                $0.holdAfterFailures = UInt32(reaction.holdAfter?.failures ?? 0)
                $0.holdWindow = UInt32(reaction.holdAfter?.window ?? 0)
                $0.rejectUncertain = reaction.rejectUncertain
            }
        }
    }
}
