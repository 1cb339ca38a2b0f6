import Evidence
import Foundation
import PlantCore
import PlantEvents
import ServiceRuntime
import SwiftProtobuf
import Vision

/// Where a station's recipes come from: what people submitted, by content hash, and the files that the plant file names.
struct RecipeShelf: Sendable {
    enum Loading: Sendable {
        case ready(Judge, RecipeActivated)
        case refused(RecipeRefused)
    }

    private let stations: [String: PlantFile.Station]
    private let store: ContentStore
    /// Where submitted recipes are laid out with the files that they name.
    private let folder: String

    init(_ stations: [String: PlantFile.Station], store: ContentStore, folder: String) {
        self.stations = stations
        self.store = store
        self.folder = folder
    }

    /// Loads the recipe that `wish` names at `station`: the default one where it names none.
    func load(_ wish: RecipeWish, station: String) -> Loading {
        do {
            let (recipe, folder) = try submitted(wish) ?? find(wish, station: station)
            guard recipe.station == station else {
                throw Unusable("recipe \(recipe.id) is for station \(recipe.station), not \(station)")
            }
            guard wish.recipeSHA256.isEmpty || wish.recipeSHA256 == recipe.sha256 else {
                throw Unusable(
                    "content \(wish.recipeSHA256.prefix(12)) is approved; the plant file's has "
                        + "\(recipe.sha256.prefix(12)), and nothing submitted here has it: bring the approved file or have "
                        + "this one approved"
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

    /// What was submitted with the content that is asked for, laid out in a folder of its own; nil where nothing was.
    private func submitted(_ wish: RecipeWish) throws -> (Recipe, folder: String)? {
        guard !wish.recipeSHA256.isEmpty, let bytes = try store.read(wish.recipeSHA256, atMost: Recipe.maxBytes) else {
            return nil
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Unusable("content \(wish.recipeSHA256.prefix(12)) is no text")
        }
        let recipe = try Recipe.parse(text: text, file: wish.recipeSHA256)
        let place = "\(folder)/\(wish.recipeSHA256)"
        for named in recipe.files { try lay(named.file, into: place) }
        return (recipe, place)
    }

    /// Another name for the kept content, where a tool looks for it; what judges is checked by its hash.
    private func lay(_ file: RecipeFile, into place: String) throws {
        guard let sha256 = file.sha256 else {
            throw Unusable("\(file.name) is named without its hash; submit it again")
        }
        guard try store.contains(sha256) else {
            throw Unusable("\(file.name) (\(sha256.prefix(12))) is not kept here: copy the plant's recipes folder")
        }
        let path = "\(place)/\(file.name)"
        let files = FileManager.default
        try files.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true
        )
        if files.fileExists(atPath: path) { try files.removeItem(atPath: path) }
        let kept = try store.path(of: sha256)
        // The store may be another user's, or on another disk.
        if (try? files.linkItem(atPath: kept, toPath: path)) == nil { try files.copyItem(atPath: kept, toPath: path) }
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
        throw Unusable(
            "no recipe \(wish.recipeID) at the station: the plant file has \(seen.joined(separator: ", ")), and nothing "
                + "submitted has the content asked for"
        )
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
            $0.tools = tools.map(\.name)
            $0.controlPlanRevision = controlPlan
            $0.reactionPlan = .with {
                $0.holdOnCategories = reaction.holdOn
                $0.holdAfterFailures = UInt32(reaction.holdAfter?.failures ?? 0)
                $0.holdWindow = UInt32(reaction.holdAfter?.window ?? 0)
                $0.rejectUncertain = reaction.rejectUncertain
                $0.stopOnCategories = reaction.stopOn
                $0.alarmOnCategories = reaction.alarmOn
            }
        }
    }
}
