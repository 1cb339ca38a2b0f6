import SeededRandom
import Testing
import Vision

@Suite(Neural.isThere) struct NeuralModelTests {
    private let runtime: NeuralRuntime

    init() throws { runtime = try #require(Neural.runtime) }

    /// M20: whatever ran before, and from however many threads.
    @Test func sameInputGivesTheSameBitsM20() async throws {
        var generator = SplitMix64(seed: 20)
        let side = 24
        let model = try NeuralModel(
            .onnx(TinyModels.network(side: side, &generator)),
            name: "network",
            runtime: runtime
        )
        let inputs = (0..<8).map { _ in (0..<3 * side * side).map { _ in Float.random(in: -2...2, using: &generator) } }
        let first = try inputs.map { try model.run($0, shape: [1, 3, side, side]) }
        #expect(Set(first.map { $0["features"]?.values }).count == inputs.count, "the inputs give different outputs")
        let order = (0..<200).map { _ in Int.random(in: inputs.indices, using: &generator) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for part in 0..<4 {
                group.addTask {
                    try stride(from: part, to: order.count, by: 4).allSatisfy {
                        try model.run(inputs[order[$0]], shape: [1, 3, side, side]) == first[order[$0]]
                    }
                }
            }
            for try await isSame in group { #expect(isSame) }
        }
    }

    @Test func convolutionIsRight() throws {
        let model = try NeuralModel(.onnx(TinyModels.map(width: 4, height: 2)), name: "map", runtime: runtime)
        #expect(model.input == NeuralPort(name: "input", shape: [1, 3, 2, 4], element: .float32))
        let outputs = try model.run((0..<24).map(Float.init), shape: [1, 3, 2, 4])
        // Mean of the 2x2 blocks at columns 0 and 2 over channels that are 8 apart.
        let map = try #require(outputs["map"])
        #expect(map.shape == [1, 1, 1, 2])
        #expect(map.values.map { ($0 * 1_000).rounded() / 1_000 } == [10.5, 12.5])
    }

    @Test func openSizesAreGivenAtEachRunOrAtLoad() throws {
        let open = try NeuralModel(.onnx(TinyModels.channelsAsClasses()), name: "open", runtime: runtime)
        #expect(open.input.shape == [1, 3, -1, -1])
        for (width, height) in [(2, 2), (3, 1), (1, 5), (2, 2)] {
            let values = (0..<3 * width * height).map(Float.init)
            let shape = [1, 3, height, width]
            #expect(try open.run(values, shape: shape) == ["classes": Tensor(shape: shape, values: values)])
        }
        let fixed = try NeuralModel(
            .onnx(TinyModels.channelsAsClasses()),
            name: "fixed",
            shape: [1, 3, 2, 2],
            runtime: runtime
        )
        #expect(fixed.outputs.map(\.shape) == [[1, 3, 2, 2]])
        let error = #expect(throws: NeuralError.self) { try fixed.run([1, 2, 3], shape: [1, 3, 1, 1]) }
        #expect(error?.reason.contains("[1, 3, 2, 2]") == true, "\(String(describing: error))")
    }

    /// Bytes in, 64-bit integers out.
    @Test func otherElementTypesAreConverted() throws {
        let model = try NeuralModel(.onnx(TinyModels.strongestChannel(side: 2)), name: "labels", runtime: runtime)
        #expect(model.input.element == .uint8 && model.outputs.map(\.element) == [.int64])
        let outputs = try model.run([8, 0, 0, 255, 0, 300, 0, 1, 8.6, -5, 2, 254], shape: [1, 3, 2, 2])
        #expect(outputs["labels"] == Tensor(shape: [1, 2, 2], values: [2, 1, 2, 0]), "clamped to 0...255 and rounded")
    }

    /// OpenVINO's representation: the description in XML, the weights apart.
    @Test func representationIsRead() throws {
        let folder = try TemporaryFolder()
        let factor = Float(2.5).bitPattern
        let weights = (0..<4).map { UInt8(truncatingIfNeeded: factor >> (8 * $0)) }
        try Files.writeAtomically(Array(Self.doubler.utf8), to: "\(folder.path)/m.xml")
        try Files.writeAtomically(weights, to: "\(folder.path)/m.bin")
        let hashes = (hexSHA256(Array(Self.doubler.utf8)), hexSHA256(weights))
        let path = "\(folder.path)/m.xml"
        let file = try NeuralFile.read(path, sha256: hashes.0, weightsSHA256: hashes.1)
        let model = try NeuralModel(file, name: "m", runtime: runtime)
        let outputs = try model.run([1, 2, 3, 4], shape: [1, 4])
        #expect(outputs.values.map(\.values) == [[2.5, 5, 7.5, 10]])
        for wrong in [(hashes.1, hashes.1), (hashes.0, hashes.0)] {
            #expect(throws: NeuralError.self) {
                try NeuralFile.read(path, sha256: wrong.0, weightsSHA256: wrong.1)
            }
        }
    }

    @Test(arguments: ["", "garbage", "<?xml version=\"1.0\"?><net/>"])
    func damagedModelsAreRefused(_ text: String) throws {
        let error = #expect(throws: NeuralError.self) {
            try NeuralModel(.onnx(Array(text.utf8)), name: "damaged.onnx", runtime: runtime)
        }
        #expect(error?.reason.contains("damaged.onnx") == true)
    }

    /// Every cut of a model, and seeded changes in it, end in a model or a message, never in a crash.
    @Test func cutAndChangedModelsEndInAMessage() throws {
        var generator = SplitMix64(seed: 7)
        let whole = TinyModels.map(width: 4, height: 4)
        var refused = 0
        for _ in 0..<60 {
            var bytes = whole
            if Bool.random(using: &generator) {
                bytes = Array(whole.prefix(Int.random(in: 0..<whole.count, using: &generator)))
            } else {
                let place = Int.random(in: bytes.indices, using: &generator)
                bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            }
            do {
                let model = try NeuralModel(.onnx(bytes), name: "m", runtime: runtime)
                #expect(model.outputs.count == 1)
            } catch {
                #expect(!error.reason.isEmpty)
                refused += 1
            }
        }
        #expect(refused > 20)
    }

    @Test func missingLibrarySaysWhatToDo() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: NeuralError.self) { try NeuralRuntime.shared(in: folder.path) }
        #expect(error?.reason.contains("deploy/setup --neural") == true)
        try Files.writeAtomically([1, 2, 3], to: "\(folder.path)/libopenvino_c.so.1")
        let damaged = #expect(throws: NeuralError.self) { try NeuralRuntime.shared(in: folder.path) }
        #expect(damaged?.reason.contains("libopenvino_c.so.1") == true)
    }

    private static let doubler = """
        <?xml version="1.0"?><net name="doubler" version="11"><layers>
        <layer id="0" name="x" type="Parameter" version="opset1"><data shape="1,4" element_type="f32"/>
        <output><port id="0" precision="FP32" names="x"><dim>1</dim><dim>4</dim></port></output></layer>
        <layer id="1" name="k" type="Const" version="opset1"><data element_type="f32" shape="1,1" offset="0" size="4"/>
        <output><port id="0" precision="FP32"><dim>1</dim><dim>1</dim></port></output></layer>
        <layer id="2" name="y" type="Multiply" version="opset1"><data auto_broadcast="numpy"/>
        <input><port id="0"><dim>1</dim><dim>4</dim></port><port id="1"><dim>1</dim><dim>1</dim></port></input>
        <output><port id="2" precision="FP32" names="y"><dim>1</dim><dim>4</dim></port></output></layer>
        <layer id="3" name="r" type="Result" version="opset1">
        <input><port id="0"><dim>1</dim><dim>4</dim></port></input></layer>
        </layers><edges><edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>
        <edge from-layer="1" from-port="0" to-layer="2" to-port="1"/>
        <edge from-layer="2" from-port="2" to-layer="3" to-port="0"/></edges></net>
        """
}

@Suite(Neural.isThere) struct NeuralToolTests {
    @Test func classificationNamesTheClass() throws {
        let tool = try Neural.tool(
            "neural",
            """
            model: m.onnx
            job: classification
            classes: [red, scratched, blue]
            good: [red]
            thresholds: {blue: 0.25}
            """,
            files: ["m.onnx": TinyModels.colours(side: 4)]
        )
        let red = try Neural.inspect(tool, Neural.colour(9, 7, [255, 51, 0]))
        #expect(red.defects == [])
        #expect(abs(red.score - 0.4) < 1e-6, "0.2 of 0.5")
        #expect(red.features.map(\.text) == ["red"])
        let blue = try Neural.inspect(tool, Neural.colour(9, 7, [255, 153, 102]))
        #expect(blue.defects.map(\.category.rawValue) == ["blue"], "0.4 of 0.25 is more than 0.6 of 0.5")
        #expect(abs(blue.score - 1.6) < 1e-6)
        #expect(blue.defects.map { [$0.x, $0.y, $0.width, $0.height] } == [[0, 0, 9, 7]])
        #expect(blue.features.map(\.conforms) == [false])
    }

    @Test func segmentationFindsPlacesInThePicture() throws {
        let tool = try Neural.tool(
            "neural",
            """
            model: m.onnx
            job: segmentation
            classes: [ground, scratch, dent]
            good: [ground]
            threshold: 0.6
            min_area: 6
            input: {width: 40, height: 30}
            """,
            files: ["m.onnx": TinyModels.channelsAsClasses()]
        )
        var picture = Rgb(40, 30, [255, 0, 0])
        picture.fill(x: 3, y: 4, width: 10, height: 2, [0, 204, 0])
        picture.fill(x: 20, y: 20, width: 5, height: 5, [0, 0, 255])
        picture.fill(x: 35, y: 5, width: 2, height: 2, [0, 0, 255])
        picture.fill(x: 0, y: 28, width: 9, height: 2, [0, 140, 120])
        let result = try Neural.inspect(tool, picture.picture)
        #expect(result.defects.map(\.category.rawValue) == ["dent", "scratch"], "small and doubtful ones left out")
        #expect(
            result.defects.map { [$0.x, $0.y, $0.width, $0.height, $0.area] } == [
                [20, 20, 5, 5, 25], [3, 4, 10, 2, 20],
            ]
        )
        #expect(result.defects.map { ($0.score * 1_000).rounded() / 1_000 } == [1.667, 1.333])
        #expect(result.score == result.defects[0].score)
        let doubtful = try Neural.inspect(tool, Rgb(40, 30, [100, 120, 0]).picture)
        #expect(doubtful.defects == [] && abs(doubtful.score - 120 / 255 / 0.6) < 1e-6)
        #expect(try Neural.inspect(tool, Rgb(40, 30, [255, 60, 0]).picture).score == 0)
    }

    /// Property: what is drawn into a picture of any size is found where it was drawn, however the picture is fitted.
    @Test(arguments: ["stretch", "letterbox"], ["bilinear", "area"])
    func anomalyMapComesBackToThePicture(_ fit: String, _ resize: String) throws {
        let tool = try Neural.tool(
            "neural",
            """
            model: {file: m.onnx, sha256: \(hexSHA256(TinyModels.map(width: 64, height: 64)))}
            job: anomaly_map
            threshold: 0.5
            input: {fit: \(fit), resize: \(resize), pad: 0}
            """,
            files: ["m.onnx": TinyModels.map(width: 64, height: 64)]
        )
        var generator = SplitMix64(seed: 3)
        for _ in 0..<20 {
            let (width, height) = (
                Int.random(in: 60...300, using: &generator), Int.random(in: 60...300, using: &generator)
            )
            var picture = Rgb(width, height, [10, 10, 10])
            let side = max(width, height) / 5
            let x = Int.random(in: 0...width - side, using: &generator)
            let y = Int.random(in: 0...height - side, using: &generator)
            picture.fill(x: x, y: y, width: side, height: side, [255, 255, 255])
            let result = try Neural.inspect(tool, picture.picture)
            let defect = try #require(result.defects.first)
            // One pixel of the map covers this many of the picture.
            let slack = max(width, height) / 32 + 2
            #expect(result.defects.count == 1 && defect.category == .anomaly)
            #expect(abs(defect.x - x) <= slack && abs(defect.y - y) <= slack, "\(defect) in \(width)x\(height)")
            #expect(abs(defect.width - side) <= 2 * slack && abs(defect.height - side) <= 2 * slack)
            #expect(defect.x + defect.width <= width && defect.y + defect.height <= height)
            #expect(abs(result.score - 2) < 0.02)
        }
    }

    @Test(arguments: ["yolov5", "yolov8", "yolov10", "ssd"]) func detectionFormatsAreRead(_ format: String) throws {
        let objects: [(kind: Int, confidence: Int, box: [Int])] = [
            (1, 204, [100, 100, 140, 120]), (1, 153, [102, 100, 142, 120]), (0, 255, [10, 10, 30, 20]),
            (2, 178, [100, 100, 140, 120]), (1, 51, [200, 200, 210, 210]),
        ]
        let made = try DetectorLevels.make(format, objects)
        let tool = try Neural.tool(
            "neural",
            """
            model: m.onnx
            job: detection
            format: \(format)
            classes: [label, scratch, dent]
            good: [label]
            threshold: 0.5
            input: {scale: 1, channels: grey}
            """,
            files: ["m.onnx": made.model]
        )
        let result = try Neural.inspect(tool, made.picture)
        let scratches = format.hasPrefix("yolov10") || format == "ssd" ? 2 : 1
        #expect(result.defects.filter { $0.category == "scratch" }.count == scratches, "repeats are left out")
        #expect(result.defects.filter { $0.category == "dent" }.count == 1)
        #expect(result.defects.count == scratches + 1, "good and doubtful ones are left out")
        #expect(abs(result.score - 1.6) < 0.01)
    }

    @Test func shapesThatDoNotFitAreNamed() throws {
        let model = TinyModels.colours(side: 4)
        let settings = "model: m.onnx\njob: classification\nclasses: [a, b]\ngood: [a]"
        let tool = try Neural.tool("neural", settings, files: ["m.onnx": model])
        let error = #expect(throws: ToolError.self) { try Neural.inspect(tool, Neural.colour(4, 4, [1, 2, 3])) }
        #expect(error?.reason.contains("2 classes") == true)
        let open = "model: m.onnx\njob: segmentation\nclasses: [a, b, c]"
        let noSize = #expect(throws: NeuralError.self) {
            try Neural.tool("neural", open, files: ["m.onnx": TinyModels.channelsAsClasses()])
        }
        #expect(noSize?.reason.contains("`width` and `height`") == true)
        let noOutput = #expect(throws: NeuralError.self) {
            try Neural.tool("neural", settings + "\noutput: gone", files: ["m.onnx": model])
        }
        #expect(noOutput?.reason.contains("confidences") == true)
        #expect(throws: FileError.self) { try Neural.tool("neural", settings) }
    }

    /// M20: the same picture gives the same result, whatever was inspected before.
    @Test func sameResultInAnyOrderM20() throws {
        let tool = try Neural.tool(
            "neural",
            "model: m.onnx\njob: anomaly_map\nthreshold: 0.55\ninput: {fit: letterbox}",
            files: ["m.onnx": TinyModels.map(width: 32, height: 32)]
        )
        var generator = SplitMix64(seed: 4)
        let sizes = [(40, 30), (31, 57), (64, 64), (9, 8)]
        let pictures = try sizes.map { try Neural.noise($0.0, $0.1, &generator) }
        let first = try pictures.map { try Neural.inspect(tool, $0) }
        #expect(first.allSatisfy { $0.score > 0 } && Set(first.map(\.score)).count == first.count)
        for _ in 0..<60 {
            let index = Int.random(in: pictures.indices, using: &generator)
            #expect(try Neural.inspect(tool, pictures[index]) == first[index])
        }
    }
}

@Suite struct NeuralRecipeTests {
    @Test func mistakesAreNamedAllAtOnce() throws {
        let error = #expect(throws: RecipeError.self) {
            try Neural.recipe(
                "neural",
                """
                model: m.xml
                job: detection
                format: yolo
                classes: [a, b, a]
                good: [c]
                threshold: 2
                thresholds: {d: 0.5}
                input: {width: 0, fit: crop}
                colour: red
                """
            )
        }
        let keys = error?.mistakes.map(\.key) ?? []
        for key in [
            "model", "format", "classes", "good", "threshold", "thresholds.d", "input.width", "input.fit", "colour",
        ] {
            #expect(keys.contains { $0.hasSuffix(key) }, "\(key) is not among \(keys)")
        }
    }

    @Test func categoriesAreTheClassesThatAreNotGood() throws {
        let settings = "model: m.onnx\njob: classification\nclasses: [ok, hole, dent]\ngood: [ok]"
        #expect(try Neural.recipe("neural", settings).categories.map(\.rawValue) == ["hole", "dent"])
    }
}
