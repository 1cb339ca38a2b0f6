import SeededRandom

/// A cell of the routing grid.
struct Cell: Hashable, Sendable {
    var column: Int
    var row: Int

    func moved(_ columns: Int, _ rows: Int) -> Self { Self(column: column + columns, row: row + rows) }

    /// Steps to `other` when diagonal steps are allowed.
    func steps(to other: Self) -> Int { max(abs(column - other.column), abs(row - other.row)) }

    func around(_ reach: Int) -> [Self] {
        (-reach...reach).flatMap { row in (-reach...reach).map { moved($0, row) } }
    }
}

/// Which channels of the board are taken, and the cheapest free way between two cells.
struct RoutingGrid: Sendable {
    let side: Int
    private var taken: [Bool]
    /// Cells with copper so wide that no diagonal may pass their corner.
    private var fat: [Bool]

    /// East, then on round the compass in steps of 45 degrees.
    private static let compass = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]

    init(side: Int) {
        self.side = side
        taken = Array(repeating: false, count: side * side)
        fat = taken
    }

    private func index(_ cell: Cell) -> Int? {
        guard (0..<side).contains(cell.column), (0..<side).contains(cell.row) else { return nil }
        return cell.row * side + cell.column
    }

    mutating func occupy(_ cells: [Cell], fat wide: Bool) {
        for cell in cells {
            guard let place = index(cell) else { continue }
            taken[place] = true
            fat[place] = fat[place] || wide
        }
    }

    func isFree(_ cell: Cell) -> Bool {
        guard let place = index(cell) else { return false }
        return !taken[place]
    }

    func isFree(from: Cell, to: Cell) -> Bool {
        guard from.column >= 1, from.row >= 1, to.column < side - 1, to.row < side - 1 else { return false }
        return (from.row...to.row).allSatisfy { row in
            (from.column...to.column).allSatisfy { isFree(Cell(column: $0, row: row)) }
        }
    }

    func freeCell(near start: Cell, within reach: Int, using random: inout SplitMix64) -> Cell? {
        start.around(reach)
            .filter { $0.steps(to: start) > 2 && isFree(from: $0.moved(-1, -1), to: $0.moved(1, 1)) }
            .randomElement(using: &random)
    }

    /// Dijkstra over (cell, heading): length counts, and turning costs, so traces run straight. Both ends may be taken.
    func path(from start: Cell, to goal: Cell) -> [Cell]? {
        guard let first = index(start), index(goal) != nil else { return nil }
        var cost = Array(repeating: Int.max, count: side * side * 8)
        var came = Array(repeating: -1, count: side * side * 8)
        // Costs are small whole numbers, so buckets make the queue.
        var buckets: [[Int]] = [(0..<8).map { first * 8 + $0 }]
        for heading in 0..<8 { cost[first * 8 + heading] = 0 }
        var level = 0
        while level < buckets.count {
            while let state = buckets[level].popLast() {
                guard cost[state] == level else { continue }
                let cell = Cell(column: state / 8 % side, row: state / 8 / side)
                if cell == goal { return trace(back: state, through: came) }
                for turn in -1...1 {
                    let heading = (state % 8 + turn + 8) % 8
                    guard let next = step(from: cell, heading, to: goal) else { continue }
                    let price = level + (heading % 2 == 0 ? 10 : 14) + (turn == 0 ? 0 : 9)
                    let target = next * 8 + heading
                    guard price < cost[target] else { continue }
                    cost[target] = price
                    came[target] = state
                    while buckets.count <= price { buckets.append([]) }
                    buckets[price].append(target)
                }
            }
            level += 1
        }
        return nil
    }

    /// The cell one step on; nil where other copper is in the way.
    private func step(from cell: Cell, _ heading: Int, to goal: Cell) -> Int? {
        let (columns, rows) = Self.compass[heading]
        let next = cell.moved(columns, rows)
        guard next == goal || isFree(next), let place = index(next) else { return nil }
        guard heading % 2 == 1 else { return place }
        let beside = [cell.moved(columns, 0), cell.moved(0, rows)].compactMap(index)
        guard !beside.contains(where: { fat[$0] }), !beside.allSatisfy({ taken[$0] }) else { return nil }
        return place
    }

    private func trace(back last: Int, through came: [Int]) -> [Cell] {
        var path: [Cell] = []
        var state = last
        while state >= 0 {
            path.append(Cell(column: state / 8 % side, row: state / 8 / side))
            state = came[state]
        }
        return path.reversed()
    }
}
