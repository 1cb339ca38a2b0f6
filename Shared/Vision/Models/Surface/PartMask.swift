import Glibc

/// Small planes on which a surface model works: the picture reduced by a whole factor, brightness and two colour
/// differences.
struct SurfaceImage {
    /// Longest side after reduction, pixels.
    static let longestSide = 600

    let width: Int
    let height: Int
    /// Mean of the channels, and red-green and yellow-blue differences; 0 to 255 and -255 to 255.
    let planes: [[Float]]
    /// Bin of each pixel's colour for `ColourClasses`.
    let bins: [UInt16]

    static func factor(width: Int, height: Int) -> Int { (max(width, height) + longestSide - 1) / longestSide }

    init(_ picture: Picture) {
        let factor = Self.factor(width: picture.width, height: picture.height)
        let (width, height) = (max(1, picture.width / factor), max(1, picture.height / factor))
        let channels = picture.channels
        var planes = [[Float]](repeating: [Float](repeating: 0, count: width * height), count: 3)
        var bins = [UInt16](repeating: 0, count: width * height)
        let rowBytes = picture.width * channels
        let columns = min(factor, picture.width)
        let rows = min(factor, picture.height)
        let scale = 1 / Float(columns * rows)
        picture.pixels.withUnsafeBufferPointer { pixels in
            for y in 0..<height {
                for x in 0..<width {
                    var sums: (UInt32, UInt32, UInt32) = (0, 0, 0)
                    for row in 0..<rows {
                        var at = (y * factor + row) * rowBytes + x * factor * channels
                        for _ in 0..<columns {
                            sums.0 &+= UInt32(pixels[at])
                            sums.1 &+= UInt32(pixels[at &+ (channels == 3 ? 1 : 0)])
                            sums.2 &+= UInt32(pixels[at &+ (channels == 3 ? 2 : 0)])
                            at &+= channels
                        }
                    }
                    let (red, green, blue) = (Float(sums.0) * scale, Float(sums.1) * scale, Float(sums.2) * scale)
                    let index = y * width + x
                    planes[0][index] = (red + green + blue) / 3
                    planes[1][index] = red - green
                    planes[2][index] = (red + green) / 2 - blue
                    bins[index] = ColourClasses.bin(red: red, green: green, blue: blue)
                }
            }
        }
        self.width = width
        self.height = height
        self.planes = planes
        self.bins = bins
    }
}

/// Which colours belong to parts and which to what they lie on, learned from good parts.
struct ColourClasses: Equatable, Sendable {
    static let levels = 16
    static let binCount = levels * levels * levels

    /// For each bin, whether it is a part's colour.
    var isPart: [Bool]

    static func bin(red: Float, green: Float, blue: Float) -> UInt16 {
        let (r, g, b) = (min(15, Int(red / 16)), min(15, Int(green / 16)), min(15, Int(blue / 16)))
        return UInt16((r * levels + g) * levels + b)
    }

    /// Learns from each picture's largest region that stands out from its border.
    init(learning images: [SurfaceImage]) {
        var part = [Float](repeating: 0, count: Self.binCount)
        var ground = part
        for image in images {
            let mask = Self.standsOut(image)
            let regions = Regions(mask, width: image.width, height: image.height)
            let largest = regions.areas.indices.dropFirst().max { regions.areas[$0] < regions.areas[$1] } ?? 0
            for index in mask.indices {
                if largest > 0, Int(regions.labels[index]) == largest {
                    part[Int(image.bins[index])] += 1
                } else {
                    ground[Int(image.bins[index])] += 1
                }
            }
        }
        let (partMean, groundMean) = (Self.mean(part), Self.mean(ground))
        let partShare = Self.spread(part)
        let groundShare = Self.spread(ground)
        isPart = (0..<Self.binCount).map { bin in
            if partShare[bin] == 0, groundShare[bin] == 0 {
                return Self.distance(bin, partMean) < Self.distance(bin, groundMean)
            }
            return partShare[bin] > groundShare[bin]
        }
    }

    init(isPart: [Bool]) {
        precondition(isPart.count == Self.binCount)
        self.isPart = isPart
    }

    /// Pixels that differ from the median colour of the picture's border by more than Otsu's level.
    private static func standsOut(_ image: SurfaceImage) -> [UInt8] {
        let (width, height) = (image.width, image.height)
        let margin = max(1, min(width, height) / 20)
        var border: [Int] = []
        for y in 0..<height {
            for x in 0..<width
            where x < margin || y < margin || x >= width - margin || y >= height - margin {
                border.append(y * width + x)
            }
        }
        let medians = image.planes.map { plane -> Float in
            let values = border.map { plane[$0] }.sorted()
            return values[values.count / 2]
        }
        let distances = (0..<width * height).map { index -> UInt8 in
            var sum: Float = 0
            for (plane, median) in zip(image.planes, medians) {
                sum += (plane[index] - median) * (plane[index] - median)
            }
            return UInt8(min(255, sum.squareRoot()))
        }
        let level = OtsuLevel.of(distances)
        return distances.map { $0 >= level ? 1 : 0 }
    }

    /// Shares of the total, spread over neighbouring bins so that few pictures are enough.
    private static func spread(_ counts: [Float]) -> [Float] {
        var values = counts
        for stride in [1, levels, levels * levels] {
            let source = values
            for bin in source.indices {
                let position = bin / stride % levels
                let below = position > 0 ? source[bin - stride] : source[bin]
                let above = position < levels - 1 ? source[bin + stride] : source[bin]
                values[bin] = (below + 2 * source[bin] + above) / 4
            }
        }
        let total = max(1, values.reduce(0, +))
        return values.map { $0 / total }
    }

    private static func mean(_ counts: [Float]) -> [Float] {
        var sums: [Float] = [0, 0, 0]
        for (bin, count) in counts.enumerated() where count > 0 {
            for (axis, level) in coordinates(bin).enumerated() { sums[axis] += count * level }
        }
        let total = max(1, counts.reduce(0, +))
        return sums.map { $0 / total }
    }

    private static func distance(_ bin: Int, _ mean: [Float]) -> Float {
        zip(coordinates(bin), mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }

    private static func coordinates(_ bin: Int) -> [Float] {
        [Float(bin / (levels * levels)), Float(bin / levels % levels), Float(bin % levels)]
    }
}

/// The part's silhouette in one picture.
struct PartMask {
    /// Holes up to this share of the largest piece are filled: print, highlights and shadows on the part.
    private static let smallHole = 0.01

    let width: Int
    let height: Int
    /// 1 on the part and its larger fragments as seen.
    let covered: [UInt8]
    /// The same with small holes filled.
    let filled: [UInt8]
    /// 1 on the largest piece.
    let main: [UInt8]
    /// Pixels of each piece, largest first.
    let pieces: [Int]

    /// nil where nothing of a part's colour is found.
    init?(_ image: SurfaceImage, _ classes: ColourClasses) {
        width = image.width
        height = image.height
        let raw = image.bins.map { classes.isPart[Int($0)] ? UInt8(1) : 0 }
        let smooth = Self.majority(raw, width, height, reach: 1)
        let regions = Regions(smooth, width: width, height: height)
        let order = regions.areas.indices.dropFirst().sorted { regions.areas[$0] > regions.areas[$1] }
        guard let largest = order.first, regions.areas[largest] >= 16 else { return nil }
        let smallest = max(4, regions.areas[largest] / 100)
        let kept = Set(order.filter { regions.areas[$0] >= smallest }.map { Int32($0) })
        covered = regions.labels.map { kept.contains($0) ? 1 : 0 }
        let small = Self.smallHoles(smooth, width, height, atMost: Int(Double(regions.areas[largest]) * Self.smallHole))
        filled = smooth.indices.map { kept.contains(regions.labels[$0]) || small[$0] ? 1 : 0 }
        let joined = Regions(filled, width: width, height: height)
        let ranked = joined.areas.indices.dropFirst().sorted { (joined.areas[$1], $0) < (joined.areas[$0], $1) }
        guard let first = ranked.first else { return nil }
        main = joined.labels.map { Int($0) == first ? 1 : 0 }
        pieces = ranked.map { joined.areas[$0] }.filter { $0 >= smallest }
    }

    /// 1 where most pixels within `reach` are 1.
    static func majority(_ mask: [UInt8], _ width: Int, _ height: Int, reach: Int) -> [UInt8] {
        var out = mask
        for y in 0..<height {
            for x in 0..<width {
                var (ones, count) = (0, 0)
                for nearY in max(0, y - reach)...min(height - 1, y + reach) {
                    for nearX in max(0, x - reach)...min(width - 1, x + reach) {
                        ones += Int(mask[nearY * width + nearX])
                        count += 1
                    }
                }
                out[y * width + x] = 2 * ones > count ? 1 : 0
            }
        }
        return out
    }

    /// Holes of at most so many pixels.
    private static func smallHoles(_ mask: [UInt8], _ width: Int, _ height: Int, atMost limit: Int) -> [Bool] {
        let ground = Regions(mask.map { 1 - $0 }, width: width, height: height)
        return ground.labels.map { $0 > 0 && ground.areas[Int($0)] <= limit }
    }
}
