import Glibc

/// A colour in CIELAB under the D65 illuminant (ISO/CIE 11664-4).
package struct LabColour: Equatable, Sendable {
    /// Lightness, 0 to 100.
    package let l: Double
    /// Green (negative) to red.
    package let a: Double
    /// Blue (negative) to yellow.
    package let b: Double

    package init(l: Double, a: Double, b: Double) {
        (self.l, self.a, self.b) = (l, a, b)
    }

    /// Of an sRGB colour, 0 to 255 a channel (IEC 61966-2-1).
    package init(red: Double, green: Double, blue: Double) {
        self.init(linear: (Self.linear(red / 255), Self.linear(green / 255), Self.linear(blue / 255)))
    }

    /// The colour of the light that all pixels together send: channels are averaged as light, not as sRGB codes.
    package static func mean(of picture: Picture) -> LabColour {
        precondition(picture.channels == 3)
        let count = picture.width * picture.height
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 3 * 256) { counts in
            counts.initialize(repeating: 0)
            guard let table = counts.baseAddress else { preconditionFailure("no room for the histogram") }
            picture.pixels.withUnsafeBufferPointer { pixels in
                for index in 0..<count {
                    table[Int(pixels[3 &* index])] &+= 1
                    table[256 &+ Int(pixels[3 &* index &+ 1])] &+= 1
                    table[512 &+ Int(pixels[3 &* index &+ 2])] &+= 1
                }
            }
            func mean(_ channel: Int) -> Double {
                var sum = 0.0
                for value in 0..<256 {
                    sum += Double(table[256 * channel + value]) * linear(Double(value) / 255)
                }
                return sum / Double(count)
            }
            return LabColour(linear: (mean(0), mean(1), mean(2)))
        }
    }

    private init(linear: (red: Double, green: Double, blue: Double)) {
        let (red, green, blue) = linear
        let x = (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047
        let y = 0.2126729 * red + 0.7151522 * green + 0.0721750 * blue
        let z = (0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883
        func curve(_ t: Double) -> Double { t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116 }
        self.init(l: 116 * curve(y) - 16, a: 500 * (curve(x) - curve(y)), b: 200 * (curve(y) - curve(z)))
    }

    private static func linear(_ value: Double) -> Double {
        value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }

    /// Difference by CIEDE2000 with unit weights (Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula:
    /// implementation notes, supplementary test data, and mathematical observations", 2005). About 1 is just visible.
    package func difference(to other: LabColour) -> Double {
        let meanChroma = (hypot(a, b) + hypot(other.a, other.b)) / 2
        let g = 0.5 * (1 - Self.saturation(meanChroma))
        let (a1, a2) = ((1 + g) * a, (1 + g) * other.a)
        let (c1, c2) = (hypot(a1, b), hypot(a2, other.b))
        let (h1, h2) = (Self.hue(a1, b), Self.hue(a2, other.b))
        var turn = 0.0
        var meanHue = h1 + h2
        if c1 * c2 != 0 {
            turn = h2 - h1
            let isFar = abs(turn) > 180
            if isFar { turn += turn > 0 ? -360 : 360 }
            meanHue = isFar ? (h1 + h2 < 360 ? h1 + h2 + 360 : h1 + h2 - 360) / 2 : (h1 + h2) / 2
        }
        let (dl, dc) = (other.l - l, c2 - c1)
        let dh = 2 * (c1 * c2).squareRoot() * sin(Self.radians(turn / 2))
        let (meanL, meanC) = ((l + other.l) / 2, (c1 + c2) / 2)
        let t =
            1 - 0.17 * cos(Self.radians(meanHue - 30)) + 0.24 * cos(Self.radians(2 * meanHue))
            + 0.32 * cos(Self.radians(3 * meanHue + 6)) - 0.20 * cos(Self.radians(4 * meanHue - 63))
        let middle = (meanL - 50) * (meanL - 50)
        let sl = 1 + 0.015 * middle / (20 + middle).squareRoot()
        let (sc, sh) = (1 + 0.045 * meanC, 1 + 0.015 * meanC * t)
        let bluish = (meanHue - 275) / 25
        let rotation = -2 * Self.saturation(meanC) * sin(Self.radians(60 * exp(-bluish * bluish)))
        let (u, v, w) = (dl / sl, dc / sc, dh / sh)
        return max(0, u * u + v * v + w * w + rotation * v * w).squareRoot()
    }

    private static func saturation(_ chroma: Double) -> Double {
        let seventh = pow(chroma, 7)
        return (seventh / (seventh + 6_103_515_625)).squareRoot()
    }

    /// Degrees from 0 to 360.
    private static func hue(_ a: Double, _ b: Double) -> Double {
        guard a != 0 || b != 0 else { return 0 }
        let degrees = atan2(b, a) * 180 / Double.pi
        return degrees < 0 ? degrees + 360 : degrees
    }

    private static func radians(_ degrees: Double) -> Double { degrees * Double.pi / 180 }
}
