import EventLog
import Logging
import Metrics
import ServiceLifecycle

/// Shows as metrics how far a service is behind its inputs.
package struct InputLag: Service {
    private static let interval = Duration.seconds(5)

    private let context: ServiceContext
    private let intake: Intake

    package init(_ context: ServiceContext, _ intake: Intake) {
        self.context = context
        self.intake = intake
    }

    package func run() async throws {
        try await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    for lag in try await intake.lags() {
                        let labels = [("topic", lag.place.topic), ("partition", "\(lag.place.partition)")]
                        Gauge(label: "lineledger_input_lag_records", dimensions: labels).record(lag.records)
                        Gauge(label: "lineledger_input_lag_seconds", dimensions: labels).record(lag.seconds)
                    }
                } catch let failure as LogFailure {
                    context.logger.debug("lag not known", metadata: ["reason": "\(failure)"])
                }
                // Cancelled when the service stops.
                guard (try? await Task.sleep(for: Self.interval)) != nil else { return }
            }
        }
    }
}
