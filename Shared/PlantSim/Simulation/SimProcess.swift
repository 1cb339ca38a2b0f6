import EventLog
import PlantCore
import PlantEvents

/// One run of a service: it does a little at each step, and its memory ends with it.
protocol SimProcess: AnyObject {
    var role: Role { get }
    var instance: String { get }
    var host: Int { get }
    /// Does one thing; a `LogFailure` ends the process, as it would end the service.
    func step() throws
    /// Ends in good order.
    func stop()
    /// Nothing is left to do as things stand.
    var isQuiet: Bool { get }
    /// I11.
    func checkBounds() throws
}

extension SimHost {
    /// I11 for one decider: what waits, and what its memory of other streams takes.
    func checkBounds(_ role: Role) throws {
        try require(
            pendingCount <= Self.pendingLimit + 8 && waitingCount <= pendingCount + 1,
            .bounded,
            instance,
            "\(pendingCount) records wait to be appended and \(waitingCount) in the writer; at most "
                + "\(Self.pendingLimit) may"
        )
        try require(
            decider.handled.marks.count <= 8,
            .bounded,
            instance,
            "\(decider.handled.marks.count) high-water marks for 4 input partitions"
        )
    }
}
