import Foundation
import Testing
import Vision

@Suite struct CodesEvaluationTests {
    private func folder(_ labels: String) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try Data(labels.utf8).write(to: URL(filePath: "\(folder.path)/labels.csv"))
        return folder
    }

    @Test func readsAndCounts() throws {
        let folder = try folder(
            """
            image,folder,symbology,expected_file,expected_kind
            a.png,f,EAN13,a.txt,text
            b.png,f,EAN13,b.txt,text
            c.png,g,NONE,,none
            """
        )
        for (name, picture) in [
            ("a", try DrawnCode.ean13("4006381333931", scale: 2)),
            ("b", try DrawnCode.ean13("9780804816632", scale: 2)),
            ("c", try Canvas(90, 60, 180).picture),
        ] {
            try Data(try PictureCodec.encodePNG(picture)).write(to: URL(filePath: "\(folder.path)/\(name).png"))
        }
        try Data("4006381333931".utf8).write(to: URL(filePath: "\(folder.path)/a.txt"))
        try Data("something else".utf8).write(to: URL(filePath: "\(folder.path)/b.txt"))
        var done: [Int] = []
        let report = try CodesEvaluation.run(CodesFolder.read(folder.path), nowUs: { 0 }, progress: { done.append($0) })
        #expect(done == [1, 2, 3])
        #expect(report.total == .init(expected: 2, read: 2, correct: 1, falseReads: 1, negatives: 1))
        #expect(report.families["g"] == .init(negatives: 1))
        #expect(report.items.map(\.isRight) == [true, false, true])
    }

    @Test func mistakesNameTheLine() throws {
        for line in ["a.png,f,X,../a.txt,text", "/a.png,f,X,a.txt,text", "a.png,f,X,a.txt,maybe", "a.png,f"] {
            let folder = try folder("image,folder,symbology,expected_file,expected_kind\n\(line)\n")
            let error = #expect(throws: FileError.self) { try CodesFolder.read(folder.path) }
            #expect(error?.reason.contains("line 2") == true)
        }
        let headless = try folder("picture\n")
        #expect(throws: FileError.self) { try CodesFolder.read(headless.path) }
    }

    @Test func tablesOfOfficeProgramsAreRead() throws {
        let folder = try folder(
            "\u{FEFF}note, image,expected_file,expected_kind\r\n\"one, \"\"two\"\"\",\"b 1.png\",\"b 1.txt\",text\r\n\r\n"
        )
        let items = try CodesFolder.read(folder.path).items
        #expect(items.map(\.name) == ["b 1.png"] && items.map(\.expected) == [.text(file: "b 1.txt")])
    }

    @Test func aDamagedPictureCountsAsNotReadAndIsNamed() throws {
        let folder = try folder("image,expected_kind,expected_file\na.png,text,a.txt\nb.png,none,\nc.png,text,a.txt\n")
        let picture = try PictureCodec.encodePNG(DrawnCode.ean13("4006381333931", scale: 2))
        try Data(picture.prefix(picture.count / 2)).write(to: URL(filePath: "\(folder.path)/a.png"))
        try Data(picture).write(to: URL(filePath: "\(folder.path)/c.png"))
        try Data("4006381333931".utf8).write(to: URL(filePath: "\(folder.path)/a.txt"))
        let report = try CodesEvaluation.run(CodesFolder.read(folder.path), nowUs: { 0 })
        #expect(report.total == .init(expected: 2, read: 1, correct: 1, negatives: 1))
        #expect(report.leftOut.map(\.name) == ["a.png", "b.png"])
        #expect(report.leftOut[0].reason.contains("truncated PNG"))
    }

    @Test func notationsOfOneContentAreEqual() {
        func says(_ symbology: Symbology, _ text: String, _ expected: String) -> Bool {
            let code = ReadCode(symbology: symbology, text: text, bytes: Array(text.utf8), corners: [])
            return CodesEvaluation.says(code, Array(expected.utf8))
        }
        #expect(says(.dataMatrix, "A\u{1D}B", "A<GS>B") && says(.dataMatrix, "A\u{1D}B", "A\u{1D}B"))
        #expect(says(.upcA, "075720003259", "0075720003259") && !says(.qrCode, "75", "075"))
        #expect(!says(.qrCode, "A", "B"))
    }

    /// A sample of the labelled pictures of real codes: nothing is read that is not there.
    @Test func realPicturesNoFalseReads() throws {
        let path = Repository.beside("shared/data/zxing-codes")
        guard Files.isFolder(path) else {
            print("skipped: no labelled codes in \(path)")
            return
        }
        let all = try CodesFolder.read(path)
        let sample = all.items.enumerated().filter { $0.offset % 11 == 0 }.map(\.element)
        let report = try CodesEvaluation.run(CodesFolder(folder: path, items: sample), nowUs: { 0 })
        #expect(report.total.falseReads == 0)
        #expect(report.total.correct * 100 >= report.total.expected * 75, "\(report.total)")
    }
}

private enum Repository {
    /// A path beside the package's folder.
    static func beside(_ path: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: path).path()
    }
}
