import Vision

/// Codes drawn as their standards say.
enum DrawnCode {
    private static let widths = ["3211", "2221", "2122", "1411", "1132", "1231", "1114", "1312", "1213", "3112"]
    private static let parities = [
        "AAAAAA", "AABABB", "AABBAB", "AABBBA", "ABAABB", "ABBAAB", "ABBBAA", "ABABAB", "ABABBA", "ABBABA",
    ]

    /// An EAN-13 (ISO/IEC 15420), `scale` pixels a module.
    static func ean13(_ digits: String, scale: Int) throws -> Picture {
        let values = digits.compactMap(\.wholeNumberValue)
        var elements = [11, 1, 1, 1]
        for (place, value) in values.enumerated().dropFirst() {
            if place == 7 { elements += [1, 1, 1, 1, 1] }
            let width = widths[value].compactMap(\.wholeNumberValue)
            let isB = place < 7 && Array(parities[values[0]])[place - 1] == "B"
            elements += isB ? width.reversed() : width
        }
        elements += [1, 1, 1, 11]
        let row = elements.enumerated().flatMap { index, width in
            [UInt8](repeating: index % 2 == 0 ? 250 : 5, count: width * scale)
        }
        let height = 30 * scale
        let pixels = [[UInt8]](repeating: row, count: height).flatMap { $0 }
        return try Picture(width: row.count, height: height, channels: 1, pixels: pixels)
    }

    /// A Data Matrix of 10 by 10 modules that says 123456 (ISO/IEC 16022).
    static func dataMatrix(scale: Int = 8) throws -> Picture {
        let modules = [
            "#.#.#.#.#.", "##..#.##.#", "##.....#..", "##...###.#", "##....#...", "#.....####", "###.##....",
            "####.##..#",
            "#..###.#..", "##########",
        ]
        var canvas = Canvas(14 * scale, 14 * scale, 250)
        for (y, row) in modules.enumerated() {
            for (x, module) in row.enumerated() where module == "#" {
                canvas.fill(x: (x + 2) * scale, y: (y + 2) * scale, width: scale, height: scale, 5)
            }
        }
        return try canvas.picture
    }

    /// Means of `2 * radius + 1` pixels along the rows, twice.
    static func softened(_ picture: Picture, radius: Int) throws -> Picture {
        var pixels = picture.pixels
        for _ in 0..<2 {
            let before = pixels
            for index in before.indices {
                let row = index / picture.width * picture.width
                var sum = 0
                for step in -radius...radius {
                    sum += Int(before[row + min(max(index - row + step, 0), picture.width - 1)])
                }
                pixels[index] = UInt8(sum / (2 * radius + 1))
            }
        }
        return try Picture(width: picture.width, height: picture.height, channels: 1, pixels: pixels)
    }

    /// The same with less contrast.
    static func faded(_ picture: Picture, light: Int, dark: Int) throws -> Picture {
        let pixels = picture.pixels.map { UInt8(dark + (light - dark) * Int($0) / 255) }
        return try Picture(width: picture.width, height: picture.height, channels: 1, pixels: pixels)
    }
}
