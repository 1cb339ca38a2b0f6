import SeededRandom

/// The artwork of one board: copper and drilled holes, laid out on a routing grid and joined by traces at 0, 45 and 90
/// degrees. The same seed gives the same board.
struct BoardLayout: Sendable {
    /// Distance of routing channels, pixels.
    static let pitch: Float = 20
    static let traceRadius: Float = 4

    private(set) var copper: [Shape] = []
    private(set) var holes: [Shape] = []
    /// Straight stretches of trace, each also in `copper`.
    private(set) var traces: [(from: Point, to: Point)] = []

    private var grid: RoutingGrid
    private var terminals: [Cell] = []
    private let origin: Float

    /// A board that covers `side` by `side` pixels.
    init(seed: UInt64, side: Int) {
        let cells = side / Int(Self.pitch)
        grid = RoutingGrid(side: cells)
        origin = (Float(side) - Float(cells - 1) * Self.pitch) / 2
        var random = SplitMix64(seed: seed, stream: 0xB0A2D)
        placeFiducials()
        placePour(&random)
        placeParts(&random)
        route(&random)
    }

    private func center(_ cell: Cell) -> Point {
        Point(x: origin + Float(cell.column) * Self.pitch, y: origin + Float(cell.row) * Self.pitch)
    }

    /// Two opposite corners, as pick-and-place machines like them.
    private mutating func placeFiducials() {
        let far = grid.side - 3
        for cell in [Cell(column: 2, row: 2), Cell(column: far, row: far)] {
            grid.occupy(cell.around(1), fat: true)
            copper.append(.disc(center: center(cell), radius: 10))
        }
    }

    /// A ground area in one corner with a mounting hole.
    private mutating func placePour(_ random: inout SplitMix64) {
        let width = 4 + Int(random.next() % 3)
        let height = 3 + Int(random.next() % 3)
        let corner = Cell(column: grid.side - 1 - width, row: 1)
        let from = center(corner)
        let to = center(Cell(column: corner.column + width - 1, row: corner.row + height - 1))
        for row in 0..<height {
            for column in 0..<width {
                grid.occupy([Cell(column: corner.column + column, row: corner.row + row)], fat: true)
            }
        }
        copper.append(
            .rectangle(
                center: (from + to) * 0.5,
                halfWidth: (to.x - from.x) / 2 + 7,
                halfHeight: (to.y - from.y) / 2 + 7,
                corner: 6
            )
        )
        holes.append(.disc(center: (from + to) * 0.5, radius: 11))
        terminals.append(Cell(column: corner.column, row: corner.row + height - 1))
    }

    private mutating func placeParts(_ random: inout SplitMix64) {
        let wanted = max(4, grid.side * grid.side / 42)
        for _ in 0..<wanted * 6 where terminals.count < wanted * 4 {
            let at = Cell(
                column: 1 + Int(random.next() % UInt64(grid.side)),
                row: 1 + Int(random.next() % UInt64(grid.side))
            )
            switch random.next() % 8 {
            case 0, 1: placeGullWing(at, pins: 4 + Int(random.next() % 4), &random)
            case 2: placeHeader(at, pins: 3 + Int(random.next() % 4), upright: random.chance(0.5))
            case 3: placeVia(at)
            default: placeChip(at, upright: random.chance(0.5))
            }
        }
    }

    /// Two rows of long pads under a small-outline package.
    private mutating func placeGullWing(_ at: Cell, pins: Int, _ random: inout SplitMix64) {
        let span = 4
        let upright = random.chance(0.5)
        func cell(_ pin: Int, _ side: Int) -> Cell {
            upright
                ? Cell(column: at.column + side * span, row: at.row + pin)
                : Cell(column: at.column + pin, row: at.row + side * span)
        }
        let corner = upright ? at.moved(span, pins - 1) : at.moved(pins - 1, span)
        guard grid.isFree(from: at.moved(-1, -1), to: corner.moved(1, 1)) else { return }
        for pin in 0..<pins {
            for side in 0..<2 {
                addPad(cell(pin, side), halfWidth: upright ? 14 : 5.5, halfHeight: upright ? 5.5 : 14)
            }
        }
    }

    /// The two pads of a chip resistor or capacitor.
    private mutating func placeChip(_ at: Cell, upright: Bool) {
        let other = upright ? at.moved(0, 2) : at.moved(2, 0)
        guard grid.isFree(from: at.moved(-1, -1), to: other.moved(1, 1)) else { return }
        for cell in [at, other] {
            addPad(cell, halfWidth: upright ? 10 : 8, halfHeight: upright ? 8 : 10)
        }
    }

    private mutating func addPad(_ cell: Cell, halfWidth: Float, halfHeight: Float) {
        grid.occupy([cell], fat: true)
        copper.append(.rectangle(center: center(cell), halfWidth: halfWidth, halfHeight: halfHeight, corner: 1.5))
        terminals.append(cell)
    }

    /// A row of drilled pads.
    private mutating func placeHeader(_ at: Cell, pins: Int, upright: Bool) {
        let last = upright ? at.moved(0, 2 * (pins - 1)) : at.moved(2 * (pins - 1), 0)
        guard grid.isFree(from: at.moved(-1, -1), to: last.moved(1, 1)) else { return }
        for pin in 0..<pins {
            addDrilled(upright ? at.moved(0, 2 * pin) : at.moved(2 * pin, 0), radius: 11, hole: 5)
        }
    }

    private mutating func placeVia(_ at: Cell) {
        guard grid.isFree(from: at, to: at) else { return }
        addDrilled(at, radius: 8, hole: 3.5)
    }

    private mutating func addDrilled(_ cell: Cell, radius: Float, hole: Float) {
        grid.occupy([cell], fat: true)
        copper.append(.disc(center: center(cell), radius: radius))
        holes.append(.disc(center: center(cell), radius: hole))
        terminals.append(cell)
    }

    /// Joins terminals to others near them, or to a new via, as long as the router finds room.
    private mutating func route(_ random: inout SplitMix64) {
        let starts = terminals.shuffled(using: &random)
        for start in starts {
            let reach = 4 + Int(random.next() % 14)
            let near = starts.filter { $0 != start && $0.steps(to: start) <= reach && $0.steps(to: start) > 2 }
            if let goal = near.randomElement(using: &random), let path = grid.path(from: start, to: goal) {
                draw(path)
            } else if let goal = grid.freeCell(near: start, within: 7, using: &random),
                let path = grid.path(from: start, to: goal)
            {
                draw(path)
                addDrilled(goal, radius: 8, hole: 3.5)
            }
        }
    }

    private mutating func draw(_ path: [Cell]) {
        grid.occupy(path, fat: false)
        var from = 0
        for step in 1..<path.count {
            let turns =
                step == path.count - 1
                || path[step + 1].column - path[step].column != path[step].column - path[step - 1].column
                || path[step + 1].row - path[step].row != path[step].row - path[step - 1].row
            guard turns else { continue }
            let stretch = (from: center(path[from]), to: center(path[step]))
            traces.append(stretch)
            copper.append(.capsule(from: stretch.from, to: stretch.to, radius: Self.traceRadius))
            from = step
        }
    }
}
