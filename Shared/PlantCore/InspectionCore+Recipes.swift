package import PlantEvents
import SwiftProtobuf

/// By whose word a recipe may judge where nobody has released one for the product at the station.
package enum RecipeApproval: String, CaseIterable, Sendable {
    /// Only what was tested, approved and released: no release, no verdict.
    case required
    /// The recipe that the plant file names.
    case plantFile = "plant_file"
}

/// A recipe by id and, where the order or a release fixes it, by content hash.
package struct RecipeWish: Codable, Equatable, Sendable {
    /// Empty: the station's default recipe.
    package var recipeID: String
    /// Empty: whatever content the plant has under that id.
    package var recipeSHA256: String

    package init(recipeID: String, recipeSHA256: String) {
        self.recipeID = recipeID
        self.recipeSHA256 = recipeSHA256
    }

    /// Whether `active`, which was loaded for the wish `loadedFor`, is what this wish asks for. Only a recipe that was
    /// loaded as the station's default is known to be it, and only content that nobody named to be the plant's own: what was
    /// released for one product does not judge another.
    func isMet(by active: RecipeActivated, loadedFor: RecipeWish) -> Bool {
        (recipeID.isEmpty ? loadedFor.recipeID.isEmpty : recipeID == active.recipeID)
            && (recipeSHA256.isEmpty ? loadedFor.recipeSHA256.isEmpty : recipeSHA256 == active.recipeSha256)
    }
}

/// What people released and retired, as the inspector adopted it.
struct RecipeReleases: Codable, Sendable {
    /// Releases remembered for one product at one station.
    static let kept = 64

    /// What people's releases make of a wish.
    enum Standing: Equatable {
        /// This content is released for it.
        case released(RecipeWish)
        /// There are releases for the product here, but none that fits: nothing may judge.
        case withheld(RecipeWish, reason: String)
        /// Nothing was ever released for the product here.
        case unreleased(RecipeWish)

        var wish: RecipeWish {
            switch self {
            case .released(let wish), .withheld(let wish, _), .unreleased(let wish): wish
            }
        }
    }

    private struct Release: Codable, Sendable {
        let recipe: RecipeWish
        /// Whether it is the one to judge by; otherwise it serves only orders that name its content.
        var isCurrent = true
    }

    /// By station (empty for all) and item code, newest last; an empty list where all were retired.
    private var released: [String: [String: [Release]]] = [:]
    /// Recipe id of every retired content.
    private var retired: [String: String] = [:]

    func isRetired(_ sha256: String) -> Bool { retired[sha256] != nil }

    /// The new release takes the place of the one before it of the same recipe id.
    mutating func adopt(_ release: RecipeReleaseAdopted) {
        let recipe = RecipeWish(recipeID: release.recipeID, recipeSHA256: release.recipeSha256)
        for station in release.stations.isEmpty ? [""] : release.stations {
            for sku in release.skus {
                var known = (released[station]?[sku] ?? []).filter { $0.recipe != recipe }
                for index in known.indices where known[index].recipe.recipeID == recipe.recipeID {
                    known[index].isCurrent = false
                }
                known.append(Release(recipe: recipe))
                if known.count > Self.kept { known.removeFirst() }
                released[station, default: [:]][sku] = known
            }
        }
    }

    /// What it had replaced does not come back by itself.
    mutating func adopt(_ retirement: RecipeRetirementAdopted) {
        retired[retirement.recipeSha256] = retirement.recipeID
        for (station, products) in released {
            for sku in products.keys {
                released[station]?[sku]?.removeAll { $0.recipe.recipeSHA256 == retirement.recipeSha256 }
            }
        }
    }

    /// What the releases say to what an order for `product` asks for at `station`. Content that the order itself names is
    /// approved by whoever wrote the order; it needs no release, but may not be retired.
    func standing(of asked: RecipeWish, product: String, at station: String) -> Standing {
        if isRetired(asked.recipeSHA256) {
            return .withheld(
                asked,
                reason: "content \(asked.recipeSHA256.prefix(12)) was retired; release another recipe"
            )
        }
        let known = released[station]?[product] ?? []
        let everywhere = released[""]?[product] ?? []
        func fits(_ release: Release) -> Bool {
            (asked.recipeID.isEmpty || asked.recipeID == release.recipe.recipeID)
                && (asked.recipeSHA256.isEmpty ? release.isCurrent : asked.recipeSHA256 == release.recipe.recipeSHA256)
        }
        if let found = known.last(where: fits) ?? everywhere.last(where: fits) { return .released(found.recipe) }
        let wasReleased = released[station]?[product] != nil || released[""]?[product] != nil
        guard wasReleased, asked.recipeSHA256.isEmpty else { return .unreleased(asked) }
        return .withheld(asked, reason: missing(asked, product: product, at: station))
    }

    /// Why nothing may judge, in words.
    func missing(_ asked: RecipeWish, product: String, at station: String) -> String {
        let current = ((released[""]?[product] ?? []) + (released[station]?[product] ?? [])).filter(\.isCurrent)
        let names = current.suffix(4).map { "\($0.recipe.recipeID) \($0.recipe.recipeSHA256.prefix(12))" }
            .joined(separator: ", ")
        return "the order asks for \(asked.words); released for product \(product) at \(station): "
            + "\(names.isEmpty ? "nothing" : names); release what the order asks for, or correct the order"
    }
}

extension RecipeWish {
    /// For sentences about it.
    fileprivate var words: String {
        let name = recipeID.isEmpty ? "the recipe in force" : "recipe \(recipeID)"
        return recipeSHA256.isEmpty ? name : "\(name) \(recipeSHA256.prefix(12))"
    }
}

extension InspectionCore {
    func standing(of name: String) -> RecipeReleases.Standing {
        let known = station(name)
        let product = known.context?.message.sku ?? ""
        return state.releases.standing(of: known.wish, product: product, at: name)
    }

    /// What the station is to judge by: content that may be used, or why there is none (I2).
    private func usable(at name: String) -> Result<RecipeWish, Withheld> {
        switch standing(of: name) {
        case .released(let wish): return .success(wish)
        case .withheld(_, let reason): return .failure(Withheld(reason: reason))
        case .unreleased(let wish):
            guard approval == .required else { return .success(wish) }
            let product = station(name).context?.message.sku ?? ""
            let reason =
                product.isEmpty
                ? "no order with a product runs at \(name)"
                : state.releases.missing(wish, product: product, at: name)
            return .failure(Withheld(reason: "\(reason) (recipes.approval is required)"))
        }
    }

    private struct Withheld: Error { let reason: String }

    /// The recipe in force: loaded, what the station's context asks for, and not retired.
    package func activeRecipe(of name: String) -> RecipeActivated? {
        let known = station(name)
        guard let active = known.recipe?.message, !isRetired(active.recipeSha256),
            case .success(let wish) = usable(at: name), wish.isMet(by: active, loadedFor: known.loadedFor)
        else { return nil }
        return active
    }

    /// The recipe the station should load next: its context asks for one that is neither active nor refused.
    package func wantedRecipe(of name: String) -> RecipeWish? {
        guard lines[name] != nil, case .success(let wish) = usable(at: name) else { return nil }
        return station(name).refused == wish || activeRecipe(of: name) != nil ? nil : wish
    }

    /// What is to be refused at the station because no recipe may judge there; nil where one may, or it was told.
    package func refusal(of name: String) -> RecipeRefused? {
        guard lines[name] != nil, case .failure(let withheld) = usable(at: name) else { return nil }
        let asked = standing(of: name).wish
        guard station(name).refused != asked else { return nil }
        return .with {
            $0.station = name
            $0.recipeID = asked.recipeID
            $0.recipeSha256 = asked.recipeSHA256
            $0.reason = withheld.reason
        }
    }

    /// Whether people took this content out of use.
    package func isRetired(_ recipeSHA256: String) -> Bool { state.releases.isRetired(recipeSHA256) }

    /// Releases and retirements become own events; other decisions are not this service's.
    func adopt(_ record: DecisionRecord) -> Step<InspectionRecord>? {
        let kinds: [Kind] = record.events.compactMap { event in
            switch event.kind {
            case .recipeReleased(let released):
                .recipeReleaseAdopted(
                    .with {
                        $0.decision = record.meta.origin
                        $0.recipeID = released.recipeID
                        $0.recipeSha256 = released.recipeSha256
                        $0.skus = released.skus
                        $0.stations = released.stations
                    }
                )
            case .recipeRetired(let retired):
                .recipeRetirementAdopted(
                    .with {
                        $0.decision = record.meta.origin
                        $0.recipeID = retired.recipeID
                        $0.recipeSha256 = retired.recipeSha256
                    }
                )
            default: nil
            }
        }
        guard !kinds.isEmpty else { return nil }
        // Every partition adopts it: its own stations tell the records apart.
        let station = lines.keys.min() ?? ""
        return step(
            "decision:\(record.meta.recordID):\(station)",
            kinds,
            station: station,
            subject: record.meta.subject,
            atUs: record.meta.occurredAtUs
        )
    }

    /// Lets each station ask again: what was refused may be there now, or refused for another reason.
    mutating func askAgain() {
        for name in state.stations.keys { state.stations[name]?.refused = nil }
    }
}
