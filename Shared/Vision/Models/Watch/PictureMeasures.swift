/// What is measured of one picture to tell whether it shows anything: brightness, sharpness, noise, damage, and a coarse
/// map of its edges. Taken at some 50,000 places of the picture, whatever its size; of a colour picture, in green.
struct PictureMeasures {
    /// Cells of the map of edges along each side, and places measured along a cell's side.
    static let cells = 48
    static let placesPerCell = 5
    static let side = cells * placesPerCell
    /// Distance over which contrast is taken, pixels.
    static let reach = 8
    /// Smallest picture that is measured, pixels along each side.
    static let smallest = 32
    /// Grey level from which a pixel counts as saturated.
    static let saturation: UInt8 = 250
    /// Contrast over `reach` that the strongest edges need for their steepness to be told from noise, grey levels.
    static let leastContrast = 16.0

    /// Mean grey level.
    private(set) var mean = 0.0
    /// Grey level that 99 % of the places do not exceed.
    private(set) var highlight = 0.0
    /// Share of saturated places.
    private(set) var saturated = 0.0
    /// Share of places whose grey level is exactly that of the picture before; 0 for the first one.
    private(set) var same = 0.0
    /// Whether all places have the same grey level.
    private(set) var isFlat = false
    /// Steepness of the strongest edges: their steepest rise over one pixel in parts of the whole, from 1 / `reach` to 1;
    /// across or down, whichever is less. Nil where there is too little contrast to say.
    private(set) var sharpness: Double?
    /// Noise, grey levels: the second difference where it is small, scaled to a standard deviation of white noise.
    private(set) var noise = 0.0
    /// Mean difference of each measured row to the row below it, grey levels.
    private(set) var rowSteps = [Float](repeating: 0, count: Self.side)
    /// Mean second difference along each measured row, grey levels.
    private(set) var rowBends = [Float](repeating: 0, count: Self.side)
    /// Share of measured rows without any structure along them.
    private(set) var flatRows = 0.0
    /// Mean contrast across and down in each cell, summed, in halves of a grey level, at most 255.
    private(set) var edges = [UInt8](repeating: 0, count: Self.cells * Self.cells)

    private var places = Places()
    private var before = [UInt8](repeating: 0, count: Self.side * Self.side)
    /// Contrast across and down over `reach` at each place.
    private var contrasts = [SIMD2<UInt8>](repeating: .zero, count: Self.side * Self.side)
    private var hasBefore = false
    private var counts = [UInt32](repeating: 0, count: Histogram.allCases.count * 256)

    /// What is counted by grey level.
    private enum Histogram: Int, CaseIterable {
        case level, contrastAcross, contrastDown, bend
    }

    /// Where a picture of one geometry is measured.
    private struct Places: Equatable {
        var width = 0
        var height = 0
        var channels = 0
        /// Byte offsets of the columns within a row.
        var columns: [Int] = []
        var rows: [Int] = []

        init() {}

        init(_ picture: Picture) {
            (width, height, channels) = (picture.width, picture.height, picture.channels)
            // One pixel before and `reach` after each place lie inside.
            func spread(_ length: Int) -> [Int] {
                let last = length - PictureMeasures.reach - 2
                return (0..<PictureMeasures.side).map { 1 + $0 * last / (PictureMeasures.side - 1) }
            }
            let green = picture.channels == 3 ? 1 : 0
            columns = spread(width).map { $0 * picture.channels + green }
            rows = spread(height)
        }

        func fits(_ picture: Picture) -> Bool {
            (width, height, channels) == (picture.width, picture.height, picture.channels)
        }
    }

    /// Measures the next picture; false where its geometry is not that of the one before, so that nothing is comparable.
    mutating func take(_ picture: Picture) -> Bool {
        precondition(min(picture.width, picture.height) >= Self.smallest, "\(picture) is too small to be measured")
        let isComparable = places.fits(picture)
        if !isComparable {
            places = Places(picture)
            hasBefore = false
        }
        let found = picture.pixels.withUnsafeBufferPointer { scan($0) }
        same = hasBefore ? Double(found.equal) / Double(Self.side * Self.side) : 0
        flatRows = Double(found.flatRows) / Double(Self.side)
        hasBefore = true
        summarise()
        sharpness = picture.pixels.withUnsafeBufferPointer { steepness($0) }
        return isComparable
    }

    private mutating func scan(_ pixels: UnsafeBufferPointer<UInt8>) -> (equal: Int, flatRows: Int) {
        var (equal, flatRows) = (0, 0)
        for index in counts.indices { counts[index] = 0 }
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.cells) { sums in
            for row in 0..<Self.side {
                if row % Self.placesPerCell == 0 { sums.update(repeating: 0) }
                let found = Self.scan(pixels, places, row, &before, &contrasts, &counts, sums)
                equal += found.equal
                flatRows += found.span <= 1 ? 1 : 0
                rowSteps[row] = Float(found.steps) / Float(Self.side)
                rowBends[row] = Float(found.bends) / Float(Self.side)
                guard row % Self.placesPerCell == Self.placesPerCell - 1 else { continue }
                for cell in 0..<Self.cells {
                    let mean = sums[cell] * 2 / UInt32(Self.placesPerCell * Self.placesPerCell)
                    edges[row / Self.placesPerCell * Self.cells + cell] = UInt8(min(255, mean))
                }
            }
        }
        return (equal, flatRows)
    }

    /// What one row adds up to.
    private struct RowSums {
        var equal = 0
        var steps: UInt32 = 0
        var bends: UInt32 = 0
        var span: UInt8 = 0
    }

    @inline(__always)
    private static func scan(
        _ pixels: UnsafeBufferPointer<UInt8>,
        _ places: Places,
        _ row: Int,
        _ before: inout [UInt8],
        _ contrasts: inout [SIMD2<UInt8>],
        _ counts: inout [UInt32],
        _ sums: UnsafeMutableBufferPointer<UInt32>
    ) -> RowSums {
        let (step, stride) = (places.channels, places.width * places.channels)
        let start = places.rows[row] * stride
        var found = RowSums()
        var (lowest, highest) = (UInt8.max, UInt8.min)
        before.withUnsafeMutableBufferPointer { before in
            contrasts.withUnsafeMutableBufferPointer { contrasts in
                counts.withUnsafeMutableBufferPointer { counts in
                    for column in 0..<side {
                        let (at, place) = (start + places.columns[column], row * side + column)
                        let here = pixels[at]
                        let across = difference(here, pixels[at + reach * step])
                        let down = difference(here, pixels[at + reach * stride])
                        let bend = abs(2 * Int32(here) - Int32(pixels[at - step]) - Int32(pixels[at + step]))
                        counts[Int(here)] &+= 1
                        counts[Histogram.contrastAcross.rawValue << 8 | Int(across)] &+= 1
                        counts[Histogram.contrastDown.rawValue << 8 | Int(down)] &+= 1
                        counts[Histogram.bend.rawValue << 8 | Int(min(255, bend))] &+= 1
                        contrasts[place] = SIMD2(across, down)
                        sums[column / placesPerCell] &+= UInt32(across) &+ UInt32(down)
                        found.steps &+= UInt32(difference(here, pixels[at + stride]))
                        found.bends &+= UInt32(bend)
                        (lowest, highest) = (min(lowest, here), max(highest, here))
                        found.equal &+= before[place] == here ? 1 : 0
                        before[place] = here
                    }
                }
            }
        }
        found.span = highest - lowest
        return found
    }

    @inline(__always)
    private static func difference(_ left: UInt8, _ right: UInt8) -> UInt8 {
        max(left, right) &- min(left, right)
    }

    private mutating func summarise() {
        let total = Double(Self.side * Self.side)
        var (weighted, bright) = (0, 0)
        for level in 0..<256 {
            weighted += level * Int(counts[level])
            if level >= Self.saturation { bright += Int(counts[level]) }
        }
        mean = Double(weighted) / total
        saturated = Double(bright) / total
        highlight = percentile(0.99, of: .level)
        isFlat = percentile(1, of: .level) - percentile(0, of: .level) < 1
        // Of white noise with deviation s, the second difference has sqrt(6) s; a quarter of it lies within 0.3186 of that.
        noise = max(0, percentile(0.25, of: .bend)) / (6.0.squareRoot() * 0.3186)
    }

    /// Steepness of the edges across and down, the lesser of both.
    private func steepness(_ pixels: UnsafeBufferPointer<UInt8>) -> Double? {
        let step = places.channels
        let across = steepness(pixels, .contrastAcross, 0, step)
        let down = steepness(pixels, .contrastDown, 1, places.width * step)
        return [across, down].compactMap(\.self).min()
    }

    /// Steepness that a fifth of the strongest edges reaches: those in focus, where others move or lie out of focus.
    private func steepness(
        _ pixels: UnsafeBufferPointer<UInt8>,
        _ histogram: Histogram,
        _ direction: Int,
        _ step: Int
    ) -> Double? {
        let strong = percentile(0.98, of: histogram)
        guard strong >= Self.leastContrast else { return nil }
        let limit = UInt8(min(254, strong))
        let bins = 64
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: bins + 1) { found in
            found.update(repeating: 0)
            var count: UInt32 = 0
            for row in 0..<Self.side {
                let start = places.rows[row] * places.width * places.channels
                for column in 0..<Self.side where contrasts[row * Self.side + column][direction] > limit {
                    let at = start + places.columns[column]
                    var steepest: UInt8 = 0
                    for pixel in 0..<Self.reach {
                        let rise = Self.difference(pixels[at + pixel * step], pixels[at + (pixel + 1) * step])
                        steepest = max(steepest, rise)
                    }
                    let contrast = Int(contrasts[row * Self.side + column][direction])
                    found[min(bins, Int(steepest) * bins / contrast)] += 1
                    count += 1
                }
            }
            guard count > 0 else { return nil }
            var above: UInt32 = 0
            for bin in stride(from: bins, through: 0, by: -1) {
                above += found[bin]
                if above * 5 >= count { return (Double(bin) + 0.5) / Double(bins) }
            }
            return nil
        }
    }

    /// The level that a share of the places does not exceed, interpolated within its bin.
    private func percentile(_ share: Double, of histogram: Histogram) -> Double {
        let wanted = share * Double(Self.side * Self.side)
        var below = 0.0
        for level in 0..<256 {
            let count = Double(counts[histogram.rawValue << 8 | level])
            if count > 0, below + count >= wanted { return Double(level) + (wanted - below) / count - 0.5 }
            below += count
        }
        return 255
    }
}
