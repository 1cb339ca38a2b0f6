import Foundation
import SeededRandom
import Testing
import Vision
import Yams

@Suite struct CodeToolTests {
    // MARK: Reading

    @Test func readsWhatIsDrawn() throws {
        for (digits, scale) in [("4006381333931", 2), ("0075720003259", 3), ("9780804816632", 4)] {
            let code = try #require(CodeReader.read(try DrawnCode.ean13(digits, scale: scale)).first)
            #expect(code.text == digits || "0" + code.text == digits)
            #expect(code.corners.count == 4)
        }
        let code = try #require(CodeReader.read(try DrawnCode.dataMatrix()).first)
        #expect(code.text == "123456" && code.symbology == .dataMatrix)
    }

    @Test func readsOnlyWhatIsLookedFor() throws {
        #expect(CodeReader.read(try DrawnCode.dataMatrix(), symbologies: [.qrCode, .ean13]).isEmpty)
        #expect(CodeReader.read(try DrawnCode.dataMatrix(), symbologies: [.dataMatrix]).count == 1)
    }

    /// Bars blurred over the width of a module and more.
    @Test func readsBlurredBars() throws {
        let sharp = try DrawnCode.ean13("5030159003930", scale: 3)
        let blurred = try DrawnCode.softened(sharp, radius: 1)
        #expect(CodeReader.read(blurred, symbologies: [.ean13]).map(\.text) == ["5030159003930"])
    }

    /// Within the bars of a longer code of another kind there is no EAN code, however well a part of them looks like one.
    @Test func noCodeIsReadAmongFurtherBars() throws {
        let code = try DrawnCode.ean13("5030159003930", scale: 3)
        var pixels = code.pixels
        for row in stride(from: 0, to: pixels.count, by: code.width) {
            for x in 0..<9 * 3 where x / 3 % 2 == 0 { pixels[row + x] = 5 }
            for x in code.width - 9 * 3..<code.width where x / 3 % 2 == 0 { pixels[row + x] = 5 }
        }
        let among = try Picture(width: code.width, height: code.height, channels: 1, pixels: pixels)
        #expect(CodeReader.read(try DrawnCode.softened(among, radius: 1), symbologies: [.ean13]).isEmpty)
    }

    /// M20: the same picture gives the same codes, whatever was read before.
    @Test func samePictureSameCodesM20() throws {
        var generator = SplitMix64(seed: 41)
        let picture = try DrawnCode.softened(DrawnCode.ean13("4006381333931", scale: 2), radius: 1)
        let first = CodeReader.read(picture, count: 4)
        for _ in 0..<3 {
            _ = CodeReader.read(try randomPicture(&generator, channels: 3))
            #expect(CodeReader.read(picture, count: 4) == first)
        }
    }

    @Test func chanceIsNoCode() throws {
        var generator = SplitMix64(seed: 42)
        for round in 0..<16 {
            let (width, height) = (
                Int.random(in: 20...80, using: &generator), Int.random(in: 20...50, using: &generator)
            )
            let block = 1 + round % 4
            let cells = (0..<width * height).map { _ in UInt8.random(in: 0...1, using: &generator) * 255 }
            let pixels = (0..<width * block * height * block).map { index in
                let (x, y) = (index % (width * block) / block, index / (width * block) / block)
                return round % 5 == 0 ? cells[x] : cells[y * width + x]
            }
            let picture = try Picture(width: width * block, height: height * block, channels: 1, pixels: pixels)
            let found = CodeReader.read(picture, count: 8)
            #expect(found.isEmpty, "seed 42, round \(round): \(found.map { "\($0.symbology) \($0.text)" })")
        }
    }

    /// Pictures of every shape and content, codes with pieces cut out among them, do no harm.
    @Test func anyPictureIsSafe() throws {
        var generator = SplitMix64(seed: 43)
        let shapes = [(1, 1), (1, 700), (700, 1), (2, 2), (7, 90), (66_000, 1), (1, 9000)]
        for (width, height) in shapes {
            let pixels = (0..<width * height).map { _ in UInt8.random(in: 0...255, using: &generator) }
            _ = CodeReader.read(try Picture(width: width, height: height, channels: 1, pixels: pixels), count: 40)
        }
        let codes = [try DrawnCode.ean13("4006381333931", scale: 2), try DrawnCode.dataMatrix()]
        for round in 0..<12 {
            let whole = codes[round % 2]
            let (x, y) = (
                Int.random(in: 0..<whole.width, using: &generator), Int.random(in: 0..<whole.height, using: &generator)
            )
            let width = Int.random(in: 1...whole.width - x, using: &generator)
            let height = Int.random(in: 1...whole.height - y, using: &generator)
            let part = try #require(whole.cropped(to: Box(x: x, y: y, width: width, height: height)))
            for code in CodeReader.read(part) {
                #expect(["4006381333931", "123456"].contains(code.text), "seed 43, round \(round)")
            }
        }
    }

    @Test func linkedLibraryReadsToo() throws {
        #expect(CodeLibrary.linked.name.hasPrefix("zxing-cpp"))
        #expect(throws: FileError.self) { try CodeLibrary(path: "/nowhere/libczxing.so") }
    }

    // MARK: Verifying

    private func inspect(
        _ picture: Picture,
        _ expectation: CodeTool.Expectation,
        expected: [String: String] = [:],
        count: Int = 1,
        minGrade: Double? = nil
    ) throws -> ToolResult {
        var timer = StepTimer.still
        let tool = CodeTool(count: count, expectation: expectation, minGrade: minGrade)
        return try tool.inspect(PartView(picture: picture, sourceName: "p", expected: expected), timer: &timer)
    }

    private func reasons(_ result: ToolResult) -> [String] {
        result.features.filter { $0.name == "rejection" }.map(\.text)
    }

    /// RES-12: read and verify.
    @Test func comparesWithTheExpectedRES12() throws {
        let picture = try DrawnCode.dataMatrix()
        let right = try inspect(picture, .init(kind: "serial"), expected: ["serial": "123456"])
        #expect(right.score == 0 && right.defects.isEmpty && right.features.map(\.text) == ["123456"])
        let wrong = try inspect(picture, .init(kind: "serial"), expected: ["serial": "123457"])
        #expect(wrong.score > 1 && wrong.defects.map(\.category) == [.code])
        #expect(reasons(wrong) == ["read \"123456\" (data-matrix); expected serial \"123457\""])
        #expect(reasons(try inspect(picture, .init(pattern: "[A-Z]+"))).first?.contains("[A-Z]+") == true)
        #expect(try inspect(picture, .init(pattern: "[0-9]{6}")).score == 0)
        #expect(try inspect(picture, .init(text: "123456")).score == 0)
    }

    @Test func missingCodesAreRejected() throws {
        let blank = try Canvas(120, 80, 200).picture
        let result = try inspect(blank, .init(kind: "lot"), expected: ["lot": "L7"])
        #expect(result.score > 1 && result.defects.map(\.width) == [120])
        #expect(reasons(result) == ["no code could be read; expected one, lot \"L7\""])
        #expect(reasons(try inspect(try DrawnCode.dataMatrix(), .init(), count: 2)).count == 1)
    }

    @Test func anUnknownExpectationIsAnError() throws {
        let error = #expect(throws: ToolError.self) {
            try inspect(try DrawnCode.dataMatrix(), .init(kind: "serial"), expected: ["lot": "L7"])
        }
        #expect(error?.reason.contains("serial") == true && error?.reason.contains("lot") == true)
    }

    @Test func gs1FieldsAreTakenApart() {
        #expect(Gs1.fields("010950110153000310AB-1\u{1D}21S77") == ["01": "09501101530003", "10": "AB-1", "21": "S77"])
        #expect(Gs1.fields("1725123110LOT") == ["17": "251231", "10": "LOT"])
        for text in [
            "", "0", "01123", "99", "AB", "0109501101530003\u{1D}", "10\u{1D}",
            "10" + String(repeating: "9", count: 91),
        ] {
            let fields = Gs1.fields(text)
            #expect(fields == (text.hasPrefix("0109") ? ["01": "09501101530003"] : nil), "\(text)")
        }
    }

    @Test func recipeMistakesAreNamed() throws {
        let root = try #require(
            try Yams.compose(
                yaml: "symbologies: [qr]\npattern: '['\nexpect: lot\nexpect_text: A\nmin_grade: E\ncount: 0\n"
            )
        )
        let section = RecipeSection(root: root)
        _ = CodeSettings(section)
        #expect(Set(section.mistakes().map(\.key)) == ["symbologies", "pattern", "expect_text", "min_grade", "count"])
    }

    // MARK: Grading

    @Test func gradesFallWithContrastAndBlur() throws {
        let sharp = try DrawnCode.ean13("4006381333931", scale: 4)
        let good = try #require(try grade(sharp))
        #expect(good.overall >= 3.5, "\(good.parameters)")
        let pale = try #require(try grade(try DrawnCode.faded(sharp, light: 200, dark: 110)))
        #expect(pale.overall < good.overall && pale.parameters.first { $0.name == "symbol contrast" }?.grade == 1)
        let soft = try #require(try grade(try DrawnCode.softened(sharp, radius: 2)))
        #expect(soft.parameters.first { $0.name == "modulation" }?.grade ?? 4 < 4)
    }

    @Test func gradeLimitRejectsWithAReason() throws {
        let pale = try DrawnCode.faded(try DrawnCode.ean13("4006381333931", scale: 4), light: 200, dark: 110)
        let result = try inspect(pale, .init(), minGrade: 2.5)
        #expect(result.score > 1)
        #expect(reasons(result).first?.contains("minimum reflectance; expected B or better") == true)
        #expect(try inspect(try DrawnCode.ean13("4006381333931", scale: 4), .init(), minGrade: 2.5).score < 1)
    }

    private func grade(_ picture: Picture) throws -> CodeGrade? {
        let code = try #require(CodeReader.read(picture).first)
        return CodeGrade.grade(code, in: picture)
    }

    @Test func letters() {
        #expect([4, 3.5, 3, 2, 1, 0.4].map(CodeGrade.letter) == ["A", "A", "B", "C", "D", "F"])
        #expect(["A", "D", "F"].map(CodeGrade.lowest) == [3.5, 0.5, nil])
    }
}
