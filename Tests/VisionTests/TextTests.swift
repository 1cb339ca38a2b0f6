import SeededRandom
import Testing
import Vision

/// Codes and dates drawn in a font of 5x7 dots, as continuous ink-jet printers do, and with joined dots.
enum DotMatrix {
    /// Rows of five dots from the top, a hexadecimal number each.
    private static let glyphs: [Character: String] = [
        "0": "0E 11 11 11 11 11 0E", "1": "04 0C 04 04 04 04 0E", "2": "0E 11 01 02 04 08 1F",
        "3": "1F 02 04 02 01 11 0E", "4": "02 06 0A 12 1F 02 02", "5": "1F 10 1E 01 01 11 0E",
        "6": "06 08 10 1E 11 11 0E", "7": "1F 01 02 04 08 08 08", "8": "0E 11 11 0E 11 11 0E",
        "9": "0E 11 11 0F 01 02 0C", "A": "0E 11 11 11 1F 11 11", "B": "1E 11 11 1E 11 11 1E",
        "E": "1F 10 10 1E 10 10 1F", "L": "10 10 10 10 10 10 1F", "O": "0E 11 11 11 11 11 0E",
        "P": "1E 11 11 1E 10 10 10", "T": "1F 04 04 04 04 04 04", "X": "11 11 0A 04 0A 11 11",
        "/": "00 01 02 04 08 10 00", ".": "00 00 00 00 00 0C 0C", "-": "00 00 00 1F 00 00 00",
        " ": "00 00 00 00 00 00 00",
    ]

    /// A grey picture of the text; a dot is a square of `dot` pixels on a grid of `pitch`.
    static func picture(_ lines: [String], pitch: Int, dot: Int, ink: UInt8, ground: UInt8) throws -> Picture {
        let margin = 5 * pitch
        let longest = lines.map(\.count).max() ?? 0
        let (width, height) = (2 * margin + longest * 6 * pitch, 2 * margin + (lines.count * 12 - 5) * pitch)
        var canvas = Canvas(width, height, ground)
        for (row, line) in lines.enumerated() {
            for (place, character) in line.enumerated() {
                let glyph = try #require(glyphs[character], "no glyph for \(character)")
                for (y, bits) in glyph.split(separator: " ").enumerated() {
                    let bits = Int(bits, radix: 16) ?? 0
                    for x in 0..<5 where bits >> (4 - x) & 1 == 1 {
                        let left = margin + (place * 6 + x) * pitch
                        let top = margin + (row * 12 + y) * pitch
                        canvas.fill(x: left, y: top, width: dot, height: dot, ink)
                    }
                }
            }
        }
        return try canvas.picture
    }

    static func strokes(_ lines: String..., ink: UInt8 = 40, ground: UInt8 = 190) throws -> Picture {
        try picture(lines, pitch: 5, dot: 5, ink: ink, ground: ground)
    }
}

@Suite(Neural.isThere) struct TextToolTests {
    private func tool(_ settings: String = "") throws -> any Tool {
        try Neural.tool("text", "characters: 0-9A-Z./-\n" + settings)
    }

    /// Dates and lots in strokes and dots, dark on light and light on dark: read as they were drawn.
    @Test(arguments: ["continuous", "dots"]) func printsAreRead(_ kind: String) throws {
        let tool = try tool("print: \(kind)")
        for (text, isLight) in [("EXP 2027-03", false), ("L8634512", true), ("14.02.2029", false), ("07/2031", true)] {
            let (ink, ground): (UInt8, UInt8) = isLight ? (210, 70) : (50, 180)
            let dot = kind == "dots" ? 4 : 6
            let picture = try DotMatrix.picture([text], pitch: 6, dot: dot, ink: ink, ground: ground)
            let result = try Neural.inspect(tool, picture)
            let feature = try #require(result.features.first)
            #expect(feature.text == text.filter { $0 != " " }, "\(kind), confidence \(feature.value)")
            #expect(result.defects == [] && result.score < 1 && feature.conforms)
        }
    }

    @Test func expectedLotIsVerified() throws {
        let tool = try tool("prefix: LOT\nexpect: lot")
        let picture = try DotMatrix.strokes("LOT 267L18")
        let right = try Neural.inspect(tool, picture, expected: ["lot": "267L 18"])
        #expect(right.score < 1 && right.features.map(\.name) == ["lot"] && right.features[0].text == "LOT267L18")
        let wrong = try Neural.inspect(tool, picture, expected: ["lot": "267L19"])
        #expect(wrong.score == 2 && wrong.defects.map(\.category) == [.text])
        #expect(wrong.features.first?.text == "read \"267L18\"; expected lot \"267L19\"")
        let defect = try #require(wrong.defects.first)
        #expect(defect.x > 5 && defect.y > 5 && defect.x + defect.width < picture.width, "the line, not the region")
        let error = #expect(throws: ToolError.self) { try Neural.inspect(tool, picture, expected: ["order": "1"]) }
        #expect(error?.reason.contains("no lot is expected") == true)
        let bare = try Neural.inspect(tool, try DotMatrix.strokes("267L18"), expected: ["lot": "267L18"])
        #expect(bare.features.first?.text == "read \"267L18\"; expected \"LOT\" before the text")
    }

    @Test func datesAreComparedWithTheDayOfProduction() throws {
        let tool = try tool(
            "date: {format: dd.MM.yyyy, relative_to: production_date, min_days: 365, max_days: 730}"
        )
        let picture = try DotMatrix.strokes("14.02.2029")
        for (made, isRight) in [
            ("2028-02-15", true), ("2027-02-15", true), ("2028-02-16", false), ("2027-02-14", false),
        ] {
            let result = try Neural.inspect(tool, picture, expected: ["production_date": made])
            #expect((result.score < 1) == isRight, "made \(made): \(result.features.map(\.text))")
        }
        let none = try Neural.inspect(
            tool,
            try DotMatrix.strokes("31.02.2029"),
            expected: ["production_date": "2028-02-20"]
        )
        #expect(none.features.first?.text == "read \"31.02.2029\"; expected a date as dd.MM.yyyy")
        let bad = #expect(throws: ToolError.self) {
            try Neural.inspect(tool, picture, expected: ["production_date": "yesterday"])
        }
        #expect(bad?.reason.contains("yesterday") == true)
    }

    /// What only its place tells apart, such as 0 and O, which this font draws alike.
    @Test func fieldingTellsLettersFromDigits() throws {
        let picture = try DotMatrix.strokes("LOT O0O0-88")
        let letters = try Neural.inspect(try tool("fielding: \"LOT @@@@-##\""), picture)
        let digits = try Neural.inspect(try tool("fielding: \"LOT ####-##\""), picture)
        let expected = try Neural.inspect(try tool("expect: lot\nprefix: LOT"), picture, expected: ["lot": "O0OO-88"])
        #expect(letters.features.last?.text == "LOTOOOO-88" && letters.score < 1)
        #expect(digits.features.last?.text == "LOT0000-88" && digits.score < 1)
        #expect(expected.features.last?.text == "LOTO0OO-88" && expected.score < 1)
        let wrong = try Neural.inspect(try tool("fielding: \"LOT ####-@@@\"\nexpect_text: LOT0000-BBB"), picture)
        #expect(wrong.score == 2, "characters are never made up to fit")
        #expect(wrong.features.last?.text.hasSuffix("-88") == true)
    }

    @Test func severalLinesAreReadFromTheTop() throws {
        let picture = try DotMatrix.strokes("07/2031", "845512")
        let result = try Neural.inspect(try tool("lines: 2"), picture)
        #expect(result.features.map(\.text) == ["07/2031845512"])
    }

    @Test func emptyPlacesHaveNoText() throws {
        let result = try Neural.inspect(try tool("expect_text: A1"), try Canvas(200, 60, 128).picture)
        #expect(result.score == 2 && result.features.first?.text == "no text could be read; expected \"A1\"")
    }

    /// M20: the same picture gives the same result, whatever was read before.
    @Test func sameTextInAnyOrderM20() throws {
        let tool = try tool()
        var generator = SplitMix64(seed: 20)
        let texts = ["L1", "EXP 2027-03", "LOT 88-99-00", "07/2031"]
        let pictures = try texts.map { try DotMatrix.strokes($0, ink: 120, ground: 150) }
        let first = try pictures.map { try Neural.inspect(tool, $0) }
        for _ in 0..<12 {
            let index = Int.random(in: pictures.indices, using: &generator)
            #expect(try Neural.inspect(tool, pictures[index]) == first[index])
        }
    }

    /// Sides of one pixel, long strips and pictures without anything on them do no harm.
    @Test func oddSizesAreTaken() throws {
        let tool = try tool("min_confidence: 0.9")
        for (width, height) in [(1, 1), (1, 200), (400, 1), (3_000, 20), (33, 900)] {
            let result = try Neural.inspect(tool, try Canvas(width, height, 90).picture)
            #expect(result.score >= 1)
        }
    }

    @Test func modelWithoutCharactersIsRefused() throws {
        let error = #expect(throws: NeuralError.self) {
            try Neural.tool("text", "model: m.onnx", files: ["m.onnx": TinyModels.colours(side: 4)])
        }
        #expect(error?.reason.contains("characters") == true)
    }
}

@Suite struct TextRecipeTests {
    @Test func mistakesAreNamedAllAtOnce() {
        let error = #expect(throws: RecipeError.self) {
            try Neural.recipe(
                "text",
                """
                print: laser
                lines: 9
                expect: lot
                expect_text: A
                pattern: "["
                min_confidence: 1
                date: {format: dd.MM, relative_to: production_date, min_days: 9}
                clock: now
                """
            )
        }
        let keys = error?.mistakes.map(\.key) ?? []
        for key in ["print", "lines", "expect_text", "pattern", "min_confidence", "format", "max_days", "clock"] {
            #expect(keys.contains { $0.hasSuffix(key) }, "\(key) is not among \(keys)")
        }
    }
}
