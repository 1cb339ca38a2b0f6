/// What must hold (design, section 5) and did not.
package enum Invariant: String, CaseIterable, Sendable, Codable {
    /// Every accepted trigger ends in exactly one verdict or a named gap.
    case everyTriggerEnds = "I1"
    /// No part is judged by a recipe other than the one approved for the order it belongs to.
    case approvedRecipe = "I2"
    /// A failed part is confirmed rejected, or someone is told.
    case rejectOrTold = "I3"
    /// One outside effect per intent.
    case oneEffect = "I4"
    /// Two rebuilds, and the live model, have the same digest.
    case sameDigest = "I5"
    /// Per peer and business key, deliveries leave in log order.
    case inOrder = "I6"
    /// What was acknowledged survives.
    case acknowledgedSurvives = "I7"
    /// Changed records are found and named.
    case damageIsNamed = "I8"
    /// Replay touches nothing outside.
    case replayIsQuiet = "I10"
    /// Everything is bounded.
    case bounded = "I11"
    /// What cannot be proved is named.
    case gapsAreNamed = "I12"
    /// Own history gives the state; facts are the plant's facts.
    case truth = "facts"
    /// Without faults the plant comes to rest.
    case converges = "liveness"
}

/// One broken promise.
struct Violation: Error {
    let invariant: Invariant
    /// What it is about: the trace is searched for it.
    let subject: String
    let text: String

    init(_ invariant: Invariant, _ subject: String, _ text: String) {
        self.invariant = invariant
        self.subject = subject
        self.text = text
    }
}

/// Throws unless `condition` holds.
func require(
    _ condition: Bool,
    _ invariant: Invariant,
    _ subject: @autoclosure () -> String,
    _ text: @autoclosure () throws -> String
) throws {
    if !condition { throw Violation(invariant, subject(), try text()) }
}
