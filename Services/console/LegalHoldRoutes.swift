package import Hummingbird
package import Logging
package import PlantCore
import PlantEvents
package import ServiceRuntime
import SwiftProtobuf

/// The routes by which people place and lift legal holds (TRC-16); only with this run's token.
package struct LegalHoldRoutes: Sendable {
    private let host: DeciderHost<DecisionCore>
    private let answers: DecisionAnswers

    package init(host: DeciderHost<DecisionCore>, token: ManagementToken, logger: Logger) {
        self.host = host
        answers = DecisionAnswers(token: token, logger: logger)
    }

    package func add(to router: Router<BasicRequestContext>) {
        router.post(RouterPath(LegalHoldWire.manage)) { request, _ in
            try await answers.answer(request) {
                let asked = try await Self.asked(request)
                return try await decide(asked) { .placeLegalHold(.with { $0.subjectIds = asked.subjectIDs }) }
            }
        }
        router.post("\(LegalHoldWire.manage)/:id/lift") { request, context in
            let id = try context.parameters.require("id")
            return try await answers.answer(request) {
                try await decide(try await Self.asked(request)) { .liftLegalHold(.with { $0.legalHoldID = id }) }
            }
        }
    }

    private static func asked(_ request: Request) async throws -> LegalHoldWire.Request {
        try await DecisionAnswers.asked(LegalHoldWire.Request.self, request, atMost: LegalHoldWire.requestLimit)
    }

    private func decide(
        _ asked: LegalHoldWire.Request,
        _ decision: () -> DecisionCore.Decision
    ) async throws -> Response {
        let act = HumanAct.with {
            $0.personID = asked.person
            $0.requestID = asked.requestID
            $0.reason = asked.reason
            $0.authentication = .systemUser
            $0.systemUser = asked.systemUser
        }
        let (isRepeated, core) = try await host.take(decision(), by: act)
        let placed = core.state.legalHolds.first { $0.value.requestID == asked.requestID }
        return try DecisionAnswers.response(
            .ok,
            LegalHoldWire.Reply(isRepeated: isRepeated, legalHoldID: placed?.key)
        )
    }
}
