/// Two models' judgements of the same labelled pictures (ML-02): whether the new one may replace the active one is for
/// people to decide, on these figures.
package struct ModelComparison: Equatable, Sendable {
    /// What one model made of one picture.
    package struct Judgement: Equatable, Sendable {
        package let score: Double
        package let verdict: Outcome

        package init(_ finding: Finding) { (score, verdict) = (finding.score, finding.verdict) }
    }

    /// A picture judged by both.
    package struct Pair: Equatable, Sendable {
        package let name: String
        package let isBad: Bool
        /// Nil where there is no active model.
        package let active: Judgement?
        package let candidate: Judgement

        package init(name: String, isBad: Bool, active: Judgement?, candidate: Judgement) {
            (self.name, self.isBad, self.active, self.candidate) = (name, isBad, active, candidate)
        }

        /// The verdicts differ.
        package var isChanged: Bool { active.map { $0.verdict != candidate.verdict } ?? false }
    }

    /// One model's figures over all pictures.
    package struct Figures: Equatable, Sendable {
        package let confusion: Confusion
        package let auroc: Double?

        fileprivate init(_ judged: [(isBad: Bool, judgement: Judgement)]) {
            var confusion = Confusion()
            for part in judged { confusion.add(isBad: part.isBad, verdict: part.judgement.verdict) }
            self.confusion = confusion
            auroc = Evaluation.auroc(
                good: judged.filter { !$0.isBad }.map(\.judgement.score),
                bad: judged.filter(\.isBad).map(\.judgement.score)
            )
        }
    }

    package let pairs: [Pair]

    package init(_ pairs: [Pair]) { self.pairs = pairs }

    package var candidate: Figures { Figures(pairs.map { ($0.isBad, $0.candidate) }) }

    /// Nil where not every picture was judged by an active model.
    package var active: Figures? {
        let judged = pairs.compactMap { pair in pair.active.map { (isBad: pair.isBad, judgement: $0) } }
        return judged.count == pairs.count && !pairs.isEmpty ? Figures(judged) : nil
    }

    /// Pictures whose verdict changed.
    package var changed: [Pair] { pairs.filter(\.isChanged) }
}
