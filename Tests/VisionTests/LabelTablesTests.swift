import Foundation
import SeededRandom
import Testing
import Vision

@Suite struct CsvTableTests {
    /// A field of the letters that matter, and how it is written.
    private func field(_ generator: inout SplitMix64) -> (value: String, written: String) {
        let letters = ["a", "1", ",", "\"", "\n", "\r\n", " ", "é", "x,y 1.5,2"]
        let value = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
            letters[Int.random(in: 0..<letters.count, using: &generator)]
        }.joined()
        let mustQuote = value.contains { ",\"\n\r\r\n".contains($0) }
        guard mustQuote || Bool.random(using: &generator) else { return (value, value) }
        return (value, "\"\(value.replacingOccurrences(of: "\"", with: "\"\""))\"")
    }

    @Test(arguments: 0..<60) func whatIsWrittenByRfc4180IsRead(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let width = Int.random(in: 2...5, using: &generator)
        let rows = (0..<Int.random(in: 1...8, using: &generator)).map { _ in
            (0..<width).map { _ in field(&generator) }
        }
        let end = Bool.random(using: &generator) ? "\n" : "\r\n"
        let text = rows.map { $0.map(\.written).joined(separator: ",") }.joined(separator: end)
        let table = try CsvTable(text + (Bool.random(using: &generator) ? end : ""), path: "t.csv")
        #expect(table.columns == rows[0].map(\.value))
        #expect(table.rows.map(\.fields) == rows.dropFirst().map { $0.map(\.value) })
        // Lines are counted as an editor counts them.
        var line = 1
        for (index, row) in rows.enumerated() {
            if index > 0 { #expect(table.rows[index - 1].line == line) }
            line += 1 + row.map { $0.value.unicodeScalars.count { $0 == "\n" } }.reduce(0, +)
        }
    }

    @Test(arguments: ["a\n\"b", "a\n\"b\"c", "a\nb,\"c\n\n"]) func brokenQuotesAreNamedByLine(text: String) {
        #expect { try CsvTable(text, path: "t.csv") } throws: { "\($0)".hasPrefix("t.csv: line 2: a quote") }
    }

    @Test func aByteOrderMarkIsNoPartOfTheHeading() throws {
        #expect(try CsvTable("\u{FEFF}image,label\n", path: "t.csv").columns == ["image", "label"])
    }
}

@Suite struct LabelTablesTests {
    @Test func blanksAndCapitalsOfLabelsDoNotMatter() throws {
        let folder = try folder(["labels.csv": "Image, LABEL,Group\r\na.png, Normal,1\r\nb.png,ANOMALY ,2\r\n"])
        #expect(
            try LabelledFolder.read(folder.path).items == [
                .init(name: "a.png", isBad: false, marks: [], group: "1"),
                .init(name: "b.png", isBad: true, group: "2"),
            ]
        )
        let other = try self.folder(["labels.csv": "image;label\na.png;normal\n"])
        let error = #expect(throws: FileError.self) { try LabelledFolder.read(other.path) }
        #expect(error?.reason == "line 1 has no column image, label, but \"image;label\"; expected image,label")
    }

    /// Nothing that lies below normal/ and anomaly/ is passed over in silence.
    @Test func foldersAreReadAtAnyDepthWithPicturesOfAnyKind() throws {
        let folder = try TemporaryFolder()
        for name in [
            "normal/day 1/a.PNG", "normal/b.bmp", "normal/notes.txt", "anomaly/crack/x/y/c.png", "anomaly/d.jpg",
        ] {
            let path = URL(filePath: "\(folder.path)/\(name)")
            try FileManager.default.createDirectory(
                at: path.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data().write(to: path)
        }
        let items = try LabelledFolder.read(folder.path).items
        #expect(
            items.map(\.name) == ["anomaly/crack/x/y/c.png", "anomaly/d.jpg", "normal/b.bmp", "normal/day 1/a.PNG"]
        )
        #expect(items.map(\.isBad) == [true, true, false, false])
        #expect(items.map(\.defect) == ["crack", "", "", ""])
        let error = #expect(throws: FileError.self) { try LabelledFolder.read("\(folder.path)/none") }
        #expect(error?.reason == "no such folder")
    }

    private func folder(_ files: [String: String]) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: "\(folder.path)/\(name)")) }
        return folder
    }

    @Test func polygonsTellBadPicturesAndPlaces() throws {
        let folder = try folder([
            "images.csv": "image,width,spindle_position\nb.png,9,p2\na.png,9,p1\nc.png,9,\n",
            "polygons.csv": "image,instance,class,x1,y1,x2,y2,polygon\n"
                + "a.png,0,pit,1,2,5,6,\"1,2 5,2 5,6 1,6\"\na.png,1,scratch,0,0,1,1,\"0,0 1,0 0,1\"\n",
        ])
        let labelled = try LabelledFolder.read(folder.path)
        #expect(labelled.items.map(\.name) == ["a.png", "b.png", "c.png"])
        #expect(labelled.items.map(\.isBad) == [true, false, false])
        #expect(labelled.items.map(\.group) == ["p1", "p2", nil] && labelled.groupColumn == "spindle_position")
        let marks = try #require(labelled.items[0].marks)
        #expect(marks.map(\.category) == ["pit", "scratch"] && marks[0].outline?.count == 4)
        #expect(marks[0].box == LabelledBox(category: "pit", left: 1, top: 2, right: 5, bottom: 6))
        #expect(labelled.hasMarks && labelled.categories == ["pit", "scratch"])
        #expect(labelled.items[1].marks == [])
        #expect(throws: FileError.self) { try LabelledFolder.read(folder.path, group: "object") }
    }

    @Test func boxesStandBesideLabels() throws {
        let folder = try folder([
            "labels.csv": "image,label,object,mask\na.png,anomaly,1,\nb.png,anomaly,2,m.png\nc.png,normal,2,\n",
            "boxes.csv": "image,x1,y1,x2,y2,class\na.png,1,2,3,4,dent\n",
        ])
        let labelled = try LabelledFolder.read(folder.path, group: "object")
        #expect(labelled.items.map(\.isBad) == [true, true, false])
        #expect(labelled.items.map(\.hasPlaces) == [true, true, true])
        #expect(labelled.items.map(\.hasPixels) == [false, true, true])
        #expect(labelled.items.map(\.group) == ["1", "2", "2"])
        #expect(labelled.categories == ["defect", "dent"])
    }

    @Test func aBadPictureWithoutMarkHasAnUnknownPlace() throws {
        let folder = try folder(["labels.csv": "image,label,mask\na.png,anomaly,\nb.png,normal,\n"])
        let labelled = try LabelledFolder.read(folder.path)
        #expect(labelled.items.map(\.hasPlaces) == [false, true] && !labelled.hasMarks)
    }

    @Test func everyWrongLineIsNamed() throws {
        let wrong = [
            ("labels.csv", "image,label\na.png,good\nb.png,normal\n../c.png,normal\nb.png,anomaly\n", [2, 4, 5]),
            (
                "polygons.csv",
                "image,class,polygon\na.png,pit,\"1,2 3\"\na.png,,\"0,0 1,0 0,1\"\n\na.png,pit,\"1,1 2,2\"\n"
                    + "a.png,pit,\"0,0 nan,0 0,1\"\na.png,pit,\"0,0 1,0 0,1\"\na.png,pit,\n", [2, 3, 5, 6, 8]
            ),
            (
                "boxes.csv", "image,x1,y1,x2,y2,class\na.png,1,1,1,2,pit\na.png,0,0,1,1,pit\na.png,0,0,1,1e9,pit\n/a,0",
                [2, 4, 5]
            ),
        ]
        for (name, text, lines) in wrong {
            let folder = try folder([name: text])
            do {
                _ = try LabelledFolder.read(folder.path)
                Issue.record("\(name) was read")
            } catch {
                #expect(error.path.hasSuffix(name))
                let named = error.reason.split(separator: "; ").compactMap { part in
                    part.hasPrefix("line ") ? Int(part.dropFirst(5).prefix { $0.isNumber }) : nil
                }
                #expect(named == lines, "\(error)")
            }
        }
    }

    @Test func aMarkedPictureCannotBeNormal() throws {
        let folder = try folder([
            "labels.csv": "image,label\na.png,normal\n", "boxes.csv": "image,x1,y1,x2,y2,class\na.png,0,0,1,1,pit\n",
        ])
        #expect { try LabelledFolder.read(folder.path) } throws: { "\($0)".contains("a.png is normal, and has marked") }
    }

    @Test(arguments: 0..<200) func damagedTablesAreReadOrRefusedInWords(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let name = ["labels.csv", "polygons.csv", "boxes.csv", "images.csv"][Int(seed % 4)]
        let texts = [
            "labels.csv": "image,label,mask,group\na.png,anomaly,m.png,1\nb.png,normal,,2\n",
            "polygons.csv": "image,class,polygon\na.png,pit,\"0,0 1,0 0,1\"\n",
            "boxes.csv": "image,x1,y1,x2,y2,class\na.png,0,0,1,1,pit\n",
            "images.csv": "image,group\na.png,1\nb.png,2\n",
        ]
        var bytes = Array(texts[name, default: ""].utf8)
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.insert(Array("\",\n-9e\0".utf8).randomElement(using: &generator) ?? 0, at: place)
            default: if bytes.count > 1 { bytes.remove(at: place) }
            }
        }
        let folder = try folder(texts)
        try Data(bytes).write(to: URL(filePath: "\(folder.path)/\(name)"))
        do {
            let labelled = try LabelledFolder.read(folder.path)
            for mark in labelled.items.flatMap({ $0.marks ?? [] }) {
                #expect(mark.box.left < mark.box.right && mark.box.top < mark.box.bottom)
            }
        } catch {
            #expect(error.path.hasPrefix(folder.path) && !error.reason.isEmpty)
        }
    }
}
