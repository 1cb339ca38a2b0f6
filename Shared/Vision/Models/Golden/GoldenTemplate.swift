/// A golden picture prepared for comparison: for each pixel the darkest and brightest grey level that is no difference.
package struct GoldenTemplate: Sendable {
    /// Largest shift that can be searched, pixels.
    package static let maxShift = 128
    /// Largest edge tolerance, pixels.
    package static let maxEdgeTolerance = 4

    private static let brighter: UInt8 = 1
    private static let darker: UInt8 = 2
    /// Differences below this strength are not reported.
    private static let reportedFrom = 0.5
    /// Most pixels by which the edges of a board may lie farther out or in than the template's, etched less or more.
    private static let mostEtch = 3
    /// Share of all edges that must lie so.
    private static let etchedShare = 0.1
    /// Or this share, where so large a part of the tiles with edges has some of it: edges are rough all over a board,
    /// defects are here and there.
    private static let roughShare = 0.04
    private static let roughTiles = 0.2
    /// The same for the edges in the tiles up to so many away each way; there one defect is a larger share.
    private static let etchTiles = 3
    private static let etchedShareAround = 0.16
    /// Share of the least area from which a difference of a board is looked at closely, as the largest always is; smaller
    /// ones stay below `reportedFrom` whatever they are.
    private static let leastShare = 0.4
    /// Most differences of a board that are looked at closely.
    private static let maxJudged = 256

    package let width: Int
    package let height: Int
    private let settings: GoldenSettings
    private let pyramid: Pyramid
    /// By the pixels that are added to the edge tolerance; only the first where no board is judged.
    private let tolerances: [ToleranceBand]
    private let board: BoardJudge?
    private let pool = ScratchPool()

    package init(_ picture: Picture, settings: GoldenSettings) {
        let grey = picture.grey()
        width = grey.width
        height = grey.height
        self.settings = settings
        pyramid = Pyramid(grey, deepest: Pyramid.depth(maxShift: settings.maxShift))
        let widest = settings.copper == .none ? 0 : Self.mostEtch
        board = settings.copper == .none ? nil : BoardJudge(template: grey, settings: settings)
        tolerances = ToleranceBand.bands(
            grey,
            reaches: settings.edgeTolerance...settings.edgeTolerance + widest,
            threshold: UInt8(settings.threshold),
            narrow: board.map { NarrowPlaces($0, deepest: settings.edgeTolerance + widest) }
        )
    }

    /// Compares a part with the template: aligns it by translation, then finds connected pixels that are brighter or
    /// darker than every template pixel within the edge tolerance by more than the threshold. A difference's score is
    /// its area divided by the smallest area that counts; on a board, `BoardJudge` names and scores it. Pixels that the
    /// shift moves out of the picture are not compared.
    package func compare(_ picture: Picture, timer: inout StepTimer) throws(ToolError) -> ToolResult {
        guard picture.width == width, picture.height == height else {
            throw ToolError(
                "picture of \(picture.width)x\(picture.height) pixels; the template has \(width)x\(height)"
            )
        }
        let grey = picture.grey()
        let whole = pool.lend { Alignment.shift(of: grey, to: pyramid, maxShift: settings.maxShift, $0) }
        guard let board else {
            timer.finish("align")
            let field = ShiftField(uniform: whole, width: width, height: height)
            let blobs = Blobs.joined(differences(grey, field, PixelWindow(width: width, height: height)))
            timer.finish("compare")
            return plain(blobs)
        }
        let copper = board.copper(of: grey)
        let plane = BitPlane(copper, width: width, height: height)
        let frame = board.frame(of: plane, copper, whole)
        let field = pool.lend { ShiftField(of: plane, to: board.copperPlane, near: whole, within: frame, $0) }
        timer.finish("align")
        let differing = differences(grey, field, frame)
        let etch = etched(grey, plane, field, differing)
        let part = BoardJudge.Part(grey: grey, copper: copper, frame: frame, etch: etch, tolerances: tolerances)
        let blobs = Blobs.joined(remaining(of: differing, grey, field, etch), reach: BoardJudge.joinReach)
        timer.finish("compare")
        let result = boardResult(blobs, board, part, field)
        timer.finish("classify")
        return result
    }

    private func plain(_ blobs: [Blob]) -> ToolResult {
        let score = { (area: Int) in Double(area) / Double(settings.minArea) }
        let defects = Self.largest(blobs, atMost: ToolResult.maxDefects).map { blob in
            let box = PixelWindow(
                left: blob.left,
                top: blob.top,
                right: blob.right,
                bottom: blob.bottom,
                margin: settings.edgeTolerance,
                within: PixelWindow(width: width, height: height)
            )
            return FoundDefect(
                category: .difference,
                x: box.left,
                y: box.top,
                width: box.width,
                height: box.height,
                area: blob.area,
                score: score(blob.area)
            )
        }
        return ToolResult(
            score: score(blobs.map(\.area).max() ?? 0),
            defects: defects.filter { $0.score >= Self.reportedFrom }
        )
    }

    private func boardResult(
        _ blobs: [Blob],
        _ board: BoardJudge,
        _ part: BoardJudge.Part,
        _ field: ShiftField
    ) -> ToolResult {
        var defects: [FoundDefect] = []
        let largest = Self.largest(blobs, atMost: Self.maxJudged)
        let least = Double(settings.minArea) * Self.leastShare
        let judged = largest.prefix(max(1, largest.count { Double($0.area) >= least }))
        for blob in judged {
            let shift = field.shift(x: (blob.left + blob.right) / 2, y: (blob.top + blob.bottom) / 2)
            let brighter = blob.kind == Self.brighter
            let found = board.defect(blob, among: judged, brighter: brighter, part: part, shift: shift)
            if let found, !defects.contains(found) { defects.append(found) }
        }
        defects = JoinedDefects.joined(EdgeNoise(defects).weighted(defects))
        return ToolResult(
            score: defects.map(\.score).max() ?? 0,
            defects: defects.filter { $0.score >= Self.reportedFrom }
        )
    }

    private static func largest(_ blobs: [Blob], atMost limit: Int) -> ArraySlice<Blob> {
        blobs.sorted { ($1.area, $0.top, $0.left) < ($0.area, $1.top, $1.left) }.prefix(limit)
    }

    /// How many pixels the edges of a board may lie farther out or in than the template's, tile by tile: the tolerance
    /// to either side grows as long as that takes away a strip along a good part of the edges around, or of all.
    /// `runs` are the differences where nothing more is tolerated.
    private func etched(_ part: Picture, _ plane: BitPlane, _ field: ShiftField, _ runs: [Run]) -> EtchField {
        let edges = plane.edgesOfTiles()
        let edgesAround = field.sums(edges, tiles: Self.etchTiles)
        let edgesOfAll = edges.reduce(0) { $0 + Int($1) }
        let edgeTiles = edges.count { $0 > 0 }
        func isEverywhere(_ taken: [UInt32]) -> Bool {
            let share = Double(taken.reduce(0) { $0 + Int($1) }) / Double(max(1, edgesOfAll))
            let tiles = edges.indices.count { edges[$0] > 0 && taken[$0] > 0 }
            return share > Self.etchedShare
                || (share > Self.roughShare && Double(tiles) > Double(edgeTiles) * Self.roughTiles)
        }
        func isStrip(_ area: UInt32, _ edges: UInt32) -> Bool { Double(area) > Double(edges) * Self.etchedShareAround }
        var etch = EtchField(tiles: edges.count)
        var areas = field.areas(of: runs)
        var runs = runs
        for extra in 1...UInt8(Self.mostEtch) {
            runs = remaining(of: runs, part, field, EtchField(tiles: edges.count, extra: extra))
            let next = field.areas(of: runs)
            var isWider = false
            for kind in [Self.darker, Self.brighter] {
                let taken = zip(areas[Int(kind)], next[Int(kind)]).map { $0 > $1 ? $0 - $1 : 0 }
                let isWhole = isEverywhere(taken)
                let around = field.sums(taken, tiles: Self.etchTiles)
                for tile in edges.indices where isWhole || isStrip(around[tile], edgesAround[tile]) {
                    if etch.widen(tile, to: extra, isHigher: kind == Self.brighter) { isWider = true }
                }
            }
            guard isWider else { break }
            areas = next
        }
        return etch
    }

    /// Runs of pixels darker or brighter than is tolerated, in the part's pixels.
    private func differences(_ part: Picture, _ field: ShiftField, _ frame: PixelWindow) -> [Run] {
        var runs: [Run] = []
        var row = [UInt8](repeating: 0, count: width)
        let tolerance = tolerances[0]
        for y in frame.top..<frame.bottom {
            row.withUnsafeMutableBufferPointer { out in
                out.update(repeating: 0)
                part.pixels.withUnsafeBufferPointer { part in
                    field.forEachStretch(y: y, of: frame, width: width, height: height) { x, end, shift in
                        let golden = (y - shift.dy) * width - shift.dx
                        let judged = y * width
                        tolerance.lowest.withUnsafeBufferPointer { lowest in
                            tolerance.highest.withUnsafeBufferPointer { highest in
                                for x in x..<end {
                                    let value = part[judged &+ x]
                                    let above: UInt8 = value > highest[golden &+ x] ? Self.brighter : 0
                                    let below: UInt8 = value < lowest[golden &+ x] ? Self.darker : 0
                                    out[x] = above | below
                                }
                            }
                        }
                    }
                }
            }
            row.withUnsafeBufferPointer { Blobs.appendRuns(of: $0, y: y, to: &runs) }
        }
        return runs
    }

    /// What of the runs is a difference where more is tolerated.
    private func remaining(of runs: [Run], _ part: Picture, _ field: ShiftField, _ etch: EtchField) -> [Run] {
        var remaining: [Run] = []
        for run in runs {
            let row = run.y / ShiftField.tile * field.columns
            let isBrighter = run.kind == Self.brighter
            var start: Int?
            for x in run.start..<run.end {
                let tile = row + x / ShiftField.tile
                let (shift, key) = (field.shifts[tile], etch.keys[tile])
                let value = part.pixels[run.y * width + x]
                let golden = (run.y - shift.dy) * width + x - shift.dx
                let differs =
                    isBrighter
                    ? value > tolerances[EtchField.higher(key)].highest[golden]
                    : value < tolerances[EtchField.lower(key)].lowest[golden]
                if differs {
                    start = start ?? x
                } else if let first = start {
                    remaining.append(Run(y: run.y, start: first, end: x, kind: run.kind))
                    start = nil
                }
            }
            if let first = start { remaining.append(Run(y: run.y, start: first, end: run.end, kind: run.kind)) }
        }
        return remaining
    }
}

/// For each pixel of a template the darkest and brightest grey level that is no difference.
struct ToleranceBand: Sendable {
    let lowest: [UInt8]
    let highest: [UInt8]

    /// For each reach the levels of the pixels up to so many away each way, and `threshold` beyond; in the middle of a
    /// place so narrow that the reach covers it, only the pixel's own.
    static func bands(
        _ grey: Picture,
        reaches: ClosedRange<Int>,
        threshold: UInt8,
        narrow: NarrowPlaces?
    ) -> [ToleranceBand] {
        var darkest = envelope(grey.pixels, of: grey, reach: reaches.lowerBound, PixelLoops.erode)
        var brightest = envelope(grey.pixels, of: grey, reach: reaches.lowerBound, PixelLoops.dilate)
        var bands: [ToleranceBand] = []
        for reach in reaches {
            if reach > reaches.lowerBound {
                darkest = envelope(darkest, of: grey, reach: 1, PixelLoops.erode)
                brightest = envelope(brightest, of: grey, reach: 1, PixelLoops.dilate)
            }
            var lowest = moved(darkest) { max($0, threshold) &- threshold }
            var highest = moved(brightest) { min($0, 255 - threshold) &+ threshold }
            for at in narrow?.bright(reach) ?? [] { lowest[at] = max(grey.pixels[at], threshold) - threshold }
            for at in narrow?.dark(reach) ?? [] { highest[at] = min(grey.pixels[at], 255 - threshold) + threshold }
            bands.append(ToleranceBand(lowest: lowest, highest: highest))
        }
        return bands
    }

    /// `map` in a loop that becomes vector instructions.
    @inline(__always)
    private static func moved(_ levels: [UInt8], _ move: (UInt8) -> UInt8) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: levels.count) { out, initialised in
            levels.withUnsafeBufferPointer { levels in
                for at in 0..<levels.count { out[at] = move(levels[at]) }
            }
            initialised = levels.count
        }
    }

    /// Smallest or largest value within `reach` pixels each way, as `step` finds it within one.
    private static func envelope(
        _ pixels: [UInt8],
        of grey: Picture,
        reach: Int,
        _ step: (Plane<UInt8>, Plane<UInt8>, UnsafeMutablePointer<UInt8>) -> Void
    ) -> [UInt8] {
        let (width, height) = (grey.width, grey.height)
        var (source, out) = (pixels, pixels)
        var row = [UInt8](repeating: 0, count: width)
        for _ in 0..<reach {
            source.withUnsafeMutableBufferPointer { source in
                out.withUnsafeMutableBufferPointer { out in
                    row.withUnsafeMutableBufferPointer { row in
                        guard let from = source.baseAddress, let to = out.baseAddress, let row = row.baseAddress
                        else { return }
                        step(
                            Plane(base: from, width: width, height: height, stride: width),
                            Plane(base: to, width: width, height: height, stride: width),
                            row
                        )
                    }
                }
            }
            swap(&source, &out)
        }
        return source
    }
}

/// By how many pixels more than the edge tolerance the edges of a part may lie elsewhere, for each tile of a
/// `ShiftField`.
struct EtchField: Sendable {
    /// What is tolerated more of darker pixels, times eight, plus what is tolerated more of brighter ones.
    private(set) var keys: [UInt8]

    init(tiles: Int, extra: UInt8 = 0) { keys = [UInt8](repeating: extra << 3 | extra, count: tiles) }

    static func lower(_ key: UInt8) -> Int { Int(key >> 3) }
    static func higher(_ key: UInt8) -> Int { Int(key & 7) }

    /// Widens a tile's tolerance from one pixel less; whether it was that.
    mutating func widen(_ tile: Int, to extra: UInt8, isHigher: Bool) -> Bool {
        let key = keys[tile]
        guard (isHigher ? key & 7 : key >> 3) == extra - 1 else { return false }
        keys[tile] = key + (isHigher ? 1 : 8)
        return true
    }
}
