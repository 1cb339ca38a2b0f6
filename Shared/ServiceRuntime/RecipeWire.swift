package import PlantCore

/// What people ask of the console about recipes and models, and what it answers; as JSON over HTTP.
///
/// `GET /v1/recipes` is open to who may see the page. What acts lies under `/v1/manage/recipes` and `/v1/manage/models`: from
/// this machine only, and only with the token that the console left in the plant's state folder.
package enum RecipeWire {
    package static let list = "/v1/recipes"
    package static let manage = "\(ParkedRoutes.prefix)recipes"
    /// Where a trained model is put on record.
    package static let manageModels = "\(ParkedRoutes.prefix)models"
    /// Largest request, bytes; recipes, models and reports are sent as content beforehand.
    package static let requestLimit = 65_536

    package static func content(_ sha256: String) -> String { "\(manage)/content/\(sha256)" }

    package enum Verb: String, Codable, Sendable, CaseIterable {
        case test, approve, release, retire, review
        case sendBack = "return"
    }

    /// What is asked. Content that it names by hash must have been sent before.
    package struct Request: Codable, Sendable {
        /// Chosen by the sender; the same request sent again changes nothing.
        package var requestID: String
        /// Person who decides: claimed by the sender, since people cannot sign in yet.
        package var person: String
        /// Operating system's user name of who sends it.
        package var systemUser: String
        package var reason = ""
        /// Content hash of the recipe file, where the address does not name it.
        package var recipeSHA256 = ""
        /// Content hash of the model file that is put on record; empty otherwise.
        package var modelSHA256 = ""
        /// Of a model trained elsewhere: by whom and from what, and its licence; empty otherwise.
        package var origin = ""
        package var licence = ""
        /// Content hash of the active recipe's test report that such a model is compared with; empty without one.
        package var comparedSHA256 = ""
        /// Item codes; empty for the recipe's own product, or those of its submission.
        package var skus: [String] = []
        /// Content hash of the report: the new one of a test, the one that was read for an approval, that of a review or
        /// of a training.
        package var reportSHA256 = ""
        package var review: Review?

        package init(requestID: String, person: String, systemUser: String) {
            self.requestID = requestID
            self.person = person
            self.systemUser = systemUser
        }
    }

    package struct Review: Codable, Sendable {
        /// The period reviewed, microseconds since 1970, the end not included.
        package var fromUs: Int64
        package var toUs: Int64
        /// Example "keep", "retrain".
        package var conclusion: String

        package init(fromUs: Int64, toUs: Int64, conclusion: String) {
            self.fromUs = fromUs
            self.toUs = toUs
            self.conclusion = conclusion
        }
    }

    /// One recipe as it stands.
    package struct Row: Codable, Sendable {
        package var sha256: String
        package var recipe: String
        package var revision: String
        package var station: String
        package var skus: [String]
        package var controlPlan: String
        package var stage: RecipeLife.Stage
        /// Item codes that it is active for.
        package var activeFor: [String]
        package var author: String
        package var approver: String
        package var submittedAtUs: Int64
        package var changedAtUs: Int64
        /// Newest test; empty and 0 before the first.
        package var reportSHA256: String
        package var pictures: UInt32
        package var escapes: UInt32
        package var overkills: UInt32
        package var challengesMissed: UInt32
        package var files: [String]
        /// Those of its files that are models on record.
        package var models: [String]
        package var review: ModelReview?
        /// When the next periodic review is due; nil for a recipe that is not active.
        package var reviewDueUs: Int64?
        package var isReviewOverdue: Bool

        /// - Parameter reviewDueUs: nil for a recipe that needs none.
        package init(
            sha256: String,
            _ life: RecipeLife,
            models: [String],
            reviewDueUs: Int64?,
            nowUs: Int64
        ) {
            self.sha256 = sha256
            recipe = life.recipeID
            revision = life.revision
            station = life.station
            skus = life.skus
            controlPlan = life.controlPlanRevision
            stage = life.stage
            activeFor = life.activeFor
            author = life.author
            approver = life.approver
            submittedAtUs = life.submittedAtUs
            changedAtUs = life.changedAtUs
            reportSHA256 = life.report
            pictures = life.pictures
            escapes = life.escapes
            overkills = life.overkills
            challengesMissed = life.challengesMissed
            files = life.files
            self.models = models
            review = life.review
            self.reviewDueUs = reviewDueUs
            isReviewOverdue = reviewDueUs.map { $0 <= nowUs } ?? false
        }
    }

    /// One model on record.
    package struct ModelRow: Codable, Sendable {
        package var sha256: String
        package var model: ModelLife
        /// Content hashes of the submitted recipes that name it.
        package var recipes: [String]

        package init(sha256: String, _ model: ModelLife, recipes: [String]) {
            self.sha256 = sha256
            self.model = model
            self.recipes = recipes
        }
    }

    package struct Listing: Codable, Sendable {
        /// Newest change first.
        package var recipes: [Row]
        /// Newest first.
        package var models: [ModelRow]

        package init(recipes: [Row], models: [ModelRow]) {
            self.recipes = recipes
            self.models = models
        }
    }

    /// What became of a request.
    package struct Reply: Codable, Sendable {
        /// Whether the request was taken before; nothing changed then.
        package var isRepeated: Bool
        /// The recipe or model after it.
        package var recipe: Row?
        package var model: ModelRow?

        package init(isRepeated: Bool, recipe: Row?, model: ModelRow?) {
            self.isRepeated = isRepeated
            self.recipe = recipe
            self.model = model
        }
    }
}
