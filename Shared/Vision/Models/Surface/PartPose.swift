import Glibc

/// Where a part lies: its reference point in the reduced picture and how far it is turned.
struct PartPose: Equatable, Sendable {
    var x: Double
    var y: Double
    /// Degrees.
    var angle: Double
}

/// The square frame, fixed to the part, in which good parts are laid over each other.
struct PartFrame: Equatable, Sendable {
    /// Cells a side.
    static let side = 128
    static let cells = side * side

    /// Pixels of the reduced picture a cell.
    let cellSize: Double

    /// Calls `body` with each cell, row by row, and its place in the reduced picture.
    func forEachCell(_ pose: PartPose, step: Int = 1, _ body: (_ cell: Int, _ x: Double, _ y: Double) -> Void) {
        let radians = pose.angle * Double.pi / 180
        let (cosine, sine) = (cos(radians) * cellSize, sin(radians) * cellSize)
        let middle = Double(Self.side - 1) / 2
        for row in stride(from: 0, to: Self.side, by: step) {
            let v = Double(row) - middle
            for column in stride(from: 0, to: Self.side, by: step) {
                let u = Double(column) - middle
                body(row * Self.side + column, pose.x + u * cosine - v * sine, pose.y + u * sine + v * cosine)
            }
        }
    }
}

/// Finds the pose in which a silhouette fits the average good one best.
struct PoseSearch {
    let frame: PartFrame
    /// Share of good parts that cover each cell.
    let average: [Float]

    /// Turning further costs this share of the mismatch a half turn, so that round parts are not turned for nothing.
    private static let turnCost = 0.05

    func pose(of mask: PartMask, startX: Double, startY: Double) -> PartPose {
        let cell = frame.cellSize
        var best = PartPose(x: startX, y: startY, angle: 0)
        var bestCost = cost(best, mask, step: 6)
        for angle in stride(from: -180.0, to: 180, by: 15) {
            for dy in stride(from: -24.0, through: 24, by: 6) {
                for dx in stride(from: -24.0, through: 24, by: 6) {
                    let pose = PartPose(x: startX + dx * cell, y: startY + dy * cell, angle: angle)
                    let poseCost = cost(pose, mask, step: 6)
                    if poseCost < bestCost { (best, bestCost) = (pose, poseCost) }
                }
            }
        }
        bestCost = cost(best, mask, step: 3)
        var (turn, move) = (7.5, 3.0)
        while move >= 0.25 {
            var improved = best
            for angle in [best.angle - turn, best.angle, best.angle + turn] {
                for dy in [-move, 0, move] {
                    for dx in [-move, 0, move] {
                        let pose = PartPose(x: best.x + dx * cell, y: best.y + dy * cell, angle: angle)
                        let poseCost = cost(pose, mask, step: 3)
                        if poseCost < bestCost { (improved, bestCost) = (pose, poseCost) }
                    }
                }
            }
            if improved == best { (turn, move) = (turn / 2, move / 2) }
            best = improved
        }
        return best
    }

    private func cost(_ pose: PartPose, _ mask: PartMask, step: Int) -> Double {
        var mismatch: Float = 0
        average.withUnsafeBufferPointer { average in
            mask.covered.withUnsafeBufferPointer { covered in
                frame.forEachCell(pose, step: step) { cell, x, y in
                    let (column, row) = (Int(x.rounded()), Int(y.rounded()))
                    let isInside = column >= 0 && row >= 0 && column < mask.width && row < mask.height
                    let isCovered: Float = isInside ? Float(covered[row * mask.width + column]) : 0
                    mismatch += abs(average[cell] - isCovered)
                }
            }
        }
        return Double(mismatch) * (1 + Self.turnCost * abs(pose.angle) / 180)
    }
}
