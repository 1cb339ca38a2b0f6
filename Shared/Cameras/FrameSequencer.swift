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

/// What a numbered frame comes to: gaps before it, then the frame itself, in order.
package struct FrameOrder {
    private(set) var sequencer: FrameSequencer
    /// Found and not yet told; at most three a frame.
    private var waiting: [Capture] = []
    /// Told since the last frame with a number: the next number leaves theirs out.
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
    mutating func see(_ shot: Shot) { _ = shot.frameNumber.map { sequencer.accept($0) } }

    package mutating func next() -> Capture? { waiting.isEmpty ? nil : waiting.removeFirst() }

    /// Takes a frame: the gaps that its number tells, then itself. A frame without number is one trigger, and no gap.
    package mutating func take(_ shot: Shot, _ counts: inout CameraStatistics) {
        guard let number = shot.frameNumber else {
            unnumbered += 1
            return waiting.append(.shot(shot))
        }
        defer { unnumbered = 0 }
        let before = sequencer.last
        switch sequencer.accept(number) {
        case .next: break
        case .repeated: return waiting.append(.repeated(shot))
        case .skipped(let count): skip(count, before, number, &counts)
        case .wrapped(let count):
            waiting.append(.restarted(reason: "the camera's frame counter ran over, from \(before ?? 0) to \(number)"))
            skip(count, before, number, &counts)
        case .restarted(let from):
            waiting.append(.restarted(reason: "the camera's frame counter went from \(from) to \(number)"))
        }
        waiting.append(.shot(shot))
    }

    private mutating func skip(_ left: UInt64, _ before: UInt64?, _ number: UInt64, _ counts: inout CameraStatistics) {
        guard left > unnumbered else { return }
        let count = left - unnumbered
        counts.skipped += count
        let reason = "frame lost on its way: the camera's counter went from \(before ?? 0) to \(number)"
        waiting.append(.skipped(count: count, reason: reason))
    }
}
