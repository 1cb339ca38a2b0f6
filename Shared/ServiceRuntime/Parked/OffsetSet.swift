/// Offsets of one partition as ranges: offsets that follow one another cost nothing.
package struct OffsetSet: Equatable, Sendable {
    /// Ascending, not touching one another.
    private var ranges: [ClosedRange<Int64>] = []
    /// Ranges kept; beyond it the two oldest become one, and with them what lies between.
    package static let rangesKept = 1 << 20

    package init() {}

    package var isEmpty: Bool { ranges.isEmpty }
    package var first: Int64? { ranges.first?.lowerBound }
    package var count: Int64 { ranges.reduce(0) { $0 + $1.upperBound - $1.lowerBound + 1 } }

    package func contains(_ offset: Int64) -> Bool {
        let index = index(after: offset)
        return index > 0 && ranges[index - 1].contains(offset)
    }

    /// Returns whether it is new.
    @discardableResult
    package mutating func insert(_ offset: Int64) -> Bool {
        let index = index(after: offset)
        if index > 0, ranges[index - 1].contains(offset) { return false }
        let joinsLeft = index > 0 && ranges[index - 1].upperBound + 1 == offset
        let joinsRight = index < ranges.count && ranges[index].lowerBound - 1 == offset
        switch (joinsLeft, joinsRight) {
        case (true, true):
            ranges[index - 1] = ranges[index - 1].lowerBound...ranges[index].upperBound
            ranges.remove(at: index)
        case (true, false): ranges[index - 1] = ranges[index - 1].lowerBound...offset
        case (false, true): ranges[index] = offset...ranges[index].upperBound
        case (false, false): ranges.insert(offset...offset, at: index)
        }
        if ranges.count > Self.rangesKept {
            ranges.replaceSubrange(0...1, with: [ranges[0].lowerBound...ranges[1].upperBound])
        }
        return true
    }

    package mutating func remove(_ offset: Int64) {
        let index = index(after: offset) - 1
        guard index >= 0, ranges[index].contains(offset) else { return }
        let range = ranges[index]
        var rest: [ClosedRange<Int64>] = []
        if range.lowerBound < offset { rest.append(range.lowerBound...offset - 1) }
        if offset < range.upperBound { rest.append(offset + 1...range.upperBound) }
        ranges.replaceSubrange(index...index, with: rest)
    }

    /// Index of the first range that begins after `offset`.
    private func index(after offset: Int64) -> Int {
        if let last = ranges.last, last.lowerBound <= offset { return ranges.count }
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].lowerBound <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
