import Testing
import Vision

@Suite struct ColourToolTests {
    /// L, a, b of two colours and their difference: table 1 of Sharma, Wu and Dalal 2005.
    static let published: [[Double]] = [
        [50, 2.6772, -79.7751, 50, 0, -82.7485, 2.0425], [50, 3.1571, -77.2803, 50, 0, -82.7485, 2.8615],
        [50, 2.8361, -74.0200, 50, 0, -82.7485, 3.4412], [50, -1.3802, -84.2814, 50, 0, -82.7485, 1.0000],
        [50, -1.1848, -84.8006, 50, 0, -82.7485, 1.0000], [50, -0.9009, -85.5211, 50, 0, -82.7485, 1.0000],
        [50, 0, 0, 50, -1, 2, 2.3669], [50, -1, 2, 50, 0, 0, 2.3669],
        [50, 2.4900, -0.0010, 50, -2.4900, 0.0009, 7.1792], [50, 2.4900, -0.0010, 50, -2.4900, 0.0010, 7.1792],
        [50, 2.4900, -0.0010, 50, -2.4900, 0.0011, 7.2195], [50, 2.4900, -0.0010, 50, -2.4900, 0.0012, 7.2195],
        [50, -0.0010, 2.4900, 50, 0.0009, -2.4900, 4.8045], [50, -0.0010, 2.4900, 50, 0.0010, -2.4900, 4.8045],
        [50, -0.0010, 2.4900, 50, 0.0011, -2.4900, 4.7461], [50, 2.5, 0, 50, 0, -2.5, 4.3065],
        [50, 2.5, 0, 73, 25, -18, 27.1492], [50, 2.5, 0, 61, -5, 29, 22.8977], [50, 2.5, 0, 56, -27, -3, 31.9030],
        [50, 2.5, 0, 58, 24, 15, 19.4535], [50, 2.5, 0, 50, 3.1736, 0.5854, 1.0000],
        [50, 2.5, 0, 50, 3.2972, 0, 1.0000], [50, 2.5, 0, 50, 1.8634, 0.5757, 1.0000],
        [50, 2.5, 0, 50, 3.2592, 0.3350, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]

    @Test(arguments: published) func publishedDifferencesAreMet(row: [Double]) {
        let one = LabColour(l: row[0], a: row[1], b: row[2])
        let other = LabColour(l: row[3], a: row[4], b: row[5])
        #expect(abs(one.difference(to: other) - row[6]) < 0.00006)
        #expect(abs(other.difference(to: one) - row[6]) < 0.00006)
        #expect(one.difference(to: one) == 0)
    }

    /// Known values of sRGB's white and primaries under D65.
    @Test func primariesHaveTheirPlaces() {
        for (rgb, lab) in [
            ([255.0, 255, 255], [100.0, 0, 0]), ([255, 0, 0], [53.24, 80.09, 67.20]),
            ([0, 255, 0], [87.73, -86.18, 83.18]), ([0, 0, 255], [32.30, 79.19, -107.86]), ([0, 0, 0], [0, 0, 0]),
        ] {
            let colour = LabColour(red: rgb[0], green: rgb[1], blue: rgb[2])
            for (found, expected) in zip([colour.l, colour.a, colour.b], lab) { #expect(abs(found - expected) < 0.02) }
        }
    }

    private func picture(_ colours: [[UInt8]]) throws -> Picture {
        try Picture(width: colours.count, height: 1, channels: 3, pixels: colours.flatMap(\.self))
    }

    @Test func theTaughtColourIsNoDifference() throws {
        let even = try picture([[UInt8]](repeating: [182, 34, 40], count: 64))
        let result = try ColourTool(ColourSettings(reference: [182, 34, 40], deltaE: 3)).inspect(even)
        #expect(result.score < 1e-6)
        #expect(result.defects.isEmpty)
        let off = try picture([[UInt8]](repeating: [150, 60, 40], count: 64))
        let wrong = try ColourTool(ColourSettings(reference: [182, 34, 40], deltaE: 3)).inspect(off)
        #expect(wrong.score > 2)
        #expect(wrong.defects.map(\.category) == [.colour])
        #expect(wrong.value("colour difference").map { abs($0 - 3 * wrong.score) < 1e-9 } == true)
    }

    /// Black and white squares look like the grey whose light is the mean of theirs: sRGB 188, not 127.
    @Test func channelsAreAveragedAsLight() throws {
        let squares = try picture([[0, 0, 0], [255, 255, 255]])
        let result = try ColourTool(ColourSettings(reference: [187.5, 187.5, 187.5], deltaE: 3)).inspect(squares)
        #expect(result.score < 0.05)
    }

    @Test(arguments: 0...10) func theShareOfAColourIsCounted(tenths: Int) throws {
        let colours: [[UInt8]] = (0..<100).map { $0 < 10 * tenths ? [30, 90, 200] : [220, 210, 40] }
        var settings = ColourSettings(reference: [30, 90, 200], deltaE: 5, minShare: 0.4)
        let least = try ColourTool(settings).inspect(picture(colours))
        #expect(least.value("share of colour") == Double(10 * tenths))
        #expect((least.score >= 1) == (tenths < 4))
        (settings.minShare, settings.maxShare) = (nil, 0.6)
        #expect(try (ColourTool(settings).inspect(picture(colours)).score >= 1) == (tenths > 6))
    }

    @Test func greyPicturesAreRefused() throws {
        let grey = try Picture(width: 4, height: 4, channels: 1, pixels: [UInt8](repeating: 9, count: 16))
        #expect(throws: ToolError.self) {
            try ColourTool(ColourSettings(reference: [1, 2, 3], deltaE: 1)).inspect(grey)
        }
    }
}
