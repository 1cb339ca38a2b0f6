/// Follows a camera's own frame counter: what it says about triggers without a frame.
package struct FrameSequencer: Equatable {
    /// What a frame's number says.
    package enum Step: Equatable, Sendable {
        /// The number that was due.
        case next
        /// The number of the frame before.
        case repeated
        /// So many numbers were left out.
        case skipped(UInt64)
        /// The counter ran over its highest number, leaving out so many on the way.
        case wrapped(skipped: UInt64)
        /// The counter began again or jumped: what was lost meanwhile cannot be known.
        case restarted(from: UInt64)
    }

    /// A jump of more than this is no loss of frames but another count.
    package static let mostSkipped: UInt64 = 100_000
    /// How near to its ends a counter must be for a fall to be an overrun.
    package static let wrapWindow: UInt64 = 1_000

    /// How many numbers a counter of that width has: 65,536 for block ids of GigE Vision 1, 2^32 for V4L2.
    let modulus: UInt64
    /// The number after the highest: 1 for block ids of GigE Vision, which leave 0 out, 0 for V4L2.
    let lowest: UInt64
    package private(set) var last: UInt64?

    package init(modulus: UInt64, lowest: UInt64) {
        self.modulus = modulus
        self.lowest = lowest
    }

    package mutating func accept(_ number: UInt64) -> Step {
        defer { last = number }
        guard let last else { return .next }
        if number == last { return .repeated }
        if number > last {
            let skipped = number - last - 1
            if skipped == 0 { return .next }
            return skipped <= Self.mostSkipped ? .skipped(skipped) : .restarted(from: last)
        }
        let toEnd = modulus > last ? modulus - last - 1 : .max
        guard toEnd <= Self.wrapWindow, number >= lowest, number - lowest <= Self.wrapWindow else {
            return .restarted(from: last)
        }
        return .wrapped(skipped: toEnd + number - lowest)
    }

    /// Forgets the last number: the stream begins anew.
    package mutating func begin() { last = nil }
}

/// Follows the ids that a stream gives its frames, beside the camera's own counter.
package struct StreamCount {
    private var sequencer: FrameSequencer
    /// Frames without id since the last one with an id.
    private var unnumbered: UInt64 = 0

    package init(modulus: UInt64, lowest: UInt64) {
        sequencer = FrameSequencer(modulus: modulus, lowest: lowest)
    }

    /// Frames left out just before this one; nil where that cannot be known.
    package mutating func lost(before id: UInt64?) -> UInt64? {
        guard let id else {
            unnumbered += 1
            return nil
        }
        defer { unnumbered = 0 }
        switch sequencer.accept(id) {
        case .next, .repeated: return 0
        case .skipped(let left), .wrapped(let left): return left - min(left, unnumbered)
        case .restarted: return nil
        }
    }
}

/// What a numbered frame comes to: gaps before it, then the frame itself, in order.
package struct FrameOrder {
    private(set) var sequencer: FrameSequencer
    /// Found and not yet told; at most four a frame.
    private var waiting: [Capture] = []
    /// Triggers told since the last frame with a number: the next number leaves theirs out.
    private var unnumbered: UInt64 = 0

    package init(modulus: UInt64, lowest: UInt64) {
        sequencer = FrameSequencer(modulus: modulus, lowest: lowest)
        waiting.reserveCapacity(4)
    }

    mutating func begin() {
        sequencer.begin()
        unnumbered = 0
    }

    mutating func tell(_ capture: Capture) { waiting.append(capture) }

    /// Told before everything else that waits.
    mutating func tellFirst(_ capture: Capture) { waiting.insert(capture, at: 0) }

    /// Counts a frame that is no trigger.
    mutating func see(_ shot: Shot) {
        guard let number = shot.frameNumber else { return unnumbered += 1 }
        _ = sequencer.accept(number)
        unnumbered = 0
    }

    package mutating func next() -> Capture? { waiting.isEmpty ? nil : waiting.removeFirst() }

    /// Takes a frame: the gaps that its number tells, then itself. A frame without number is one trigger, and no gap.
    /// - Parameter lost: frames that the stream's own count left out just before this one; nil where it has none.
    package mutating func take(_ shot: Shot, lost: UInt64? = nil, _ counts: inout CameraStatistics) {
        guard let number = shot.frameNumber else {
            if let lost, lost > 0 {
                skip(lost, "frame lost on its way: the stream left out \(lost)", &counts)
                unnumbered += lost
            }
            unnumbered += 1
            return waiting.append(.shot(shot))
        }
        defer { unnumbered = 0 }
        let before = sequencer.last ?? 0
        switch sequencer.accept(number) {
        case .next: break
        case .repeated: return waiting.append(.repeated(shot))
        case .skipped(let left): skip(left, lost, "the camera's counter went from \(before) to \(number)", &counts)
        case .wrapped(let left):
            let jump = "the camera's frame counter ran over, from \(before) to \(number)"
            waiting.append(.restarted(reason: jump))
            skip(left, lost, jump, &counts)
        case .restarted(let from):
            waiting.append(.restarted(reason: "the camera's frame counter went from \(from) to \(number)"))
        }
        waiting.append(.shot(shot))
    }

    /// What is missing of `left` numbers: lost on its way, or never sent where the stream's own count says so.
    private mutating func skip(_ left: UInt64, _ lost: UInt64?, _ jump: String, _ counts: inout CameraStatistics) {
        let missing = left - min(left, unnumbered)
        let onWay = min(missing, lost ?? missing)
        skip(onWay, "frame lost on its way: \(jump)", &counts)
        skip(missing - onWay, "no frame for the trigger: \(jump), and its stream left none out", &counts)
    }

    private mutating func skip(_ count: UInt64, _ reason: String, _ counts: inout CameraStatistics) {
        guard count > 0 else { return }
        counts.skipped += count
        waiting.append(.skipped(count: count, reason: reason))
    }
}
