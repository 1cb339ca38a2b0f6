import Foundation
import SeededRandom
import Testing
import Vision

/// Whether neural models can be run here; tests that need them are skipped otherwise.
enum Neural {
    static let runtime: NeuralRuntime? = {
        NeuralPlace.choose(environment: ProcessInfo.processInfo.environment)
        return try? NeuralRuntime.shared()
    }()

    static let isThere: ConditionTrait = .enabled(if: runtime != nil, "needs OpenVINO: run deploy/setup --neural")

    /// A tool by the text of its settings in a recipe, with its files beside it; each line is indented as needed.
    static func tool(_ key: String, _ settings: String, files: [String: [UInt8]] = [:]) throws -> any Tool {
        let folder = try TemporaryFolder()
        for (name, bytes) in files { try Files.writeAtomically(bytes, to: "\(folder.path)/\(name)") }
        let recipe = try recipe(key, settings)
        return try #require(recipe.tools.first).settings.load(RecipeFiles(directory: folder.path))
    }

    static func recipe(_ key: String, _ settings: String) throws -> Recipe {
        let lines = settings.split(separator: "\n").map { "      \($0)\n" }.joined()
        return try Recipe.parse(
            text: """
                recipe: r
                revision: "1"
                station: s
                product: p
                control_plan: c
                limits: {fail_at: 1}
                reaction: {reject_uncertain: true}
                tools:
                  - name: t
                    \(key):
                \(lines)
                """,
            file: "r.yaml"
        )
    }

    static func inspect(_ tool: any Tool, _ picture: Picture, expected: [String: String] = [:]) throws -> ToolResult {
        var timer = StepTimer.still
        return try tool.inspect(PartView(picture: picture, sourceName: "p", expected: expected), timer: &timer)
    }

    /// A picture of random levels, three channels.
    static func noise(_ width: Int, _ height: Int, _ generator: inout SplitMix64) throws -> Picture {
        let pixels = (0..<width * height * 3).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return try Picture(width: width, height: height, channels: 3, pixels: pixels)
    }

    static func colour(_ width: Int, _ height: Int, _ colour: [UInt8]) throws -> Picture {
        let pixels = (0..<width * height).flatMap { _ in colour }
        return try Picture(width: width, height: height, channels: 3, pixels: pixels)
    }
}

/// A colour picture to draw on.
struct Rgb {
    let width: Int
    let height: Int
    private var pixels: [UInt8]

    init(_ width: Int, _ height: Int, _ colour: [UInt8]) {
        (self.width, self.height) = (width, height)
        pixels = (0..<width * height).flatMap { _ in colour }
    }

    mutating func fill(x: Int, y: Int, width: Int, height: Int, _ colour: [UInt8]) {
        for row in y..<y + height {
            for column in x..<x + width {
                for channel in 0..<3 { pixels[(row * self.width + column) * 3 + channel] = colour[channel] }
            }
        }
    }

    var picture: Picture {
        get throws { try Picture(width: width, height: height, channels: 3, pixels: pixels) }
    }
}

/// A detector that finds what the levels of its picture say.
enum DetectorLevels {
    /// Objects as class of 3, confidence of 255, and left, top, right, bottom in pixels.
    static func make(
        _ format: String,
        _ objects: [(kind: Int, confidence: Int, box: [Int])]
    ) throws -> (model: [UInt8], picture: Picture) {
        let lines = objects.map { object -> [Float] in
            let box = object.box.map(Float.init)
            let centre = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]]
            let confidence = Float(object.confidence) / 255
            let classes = (0..<3).map { $0 == object.kind ? confidence : 0.01 }
            switch format {
            case "yolov5": return centre + [1] + classes
            case "yolov8": return centre + classes
            case "yolov10": return box + [confidence, Float(object.kind)]
            default: return [0, Float(object.kind), confidence] + box.map { $0 / 255 }
            }
        }
        return try detector(lines, isTransposed: format == "yolov8", isSSD: format == "ssd")
    }

    /// The numbers are the model's own; the picture takes part times nothing.
    private static func detector(
        _ lines: [[Float]],
        isTransposed: Bool,
        isSSD: Bool
    ) throws -> (model: [UInt8], picture: Picture) {
        let (count, length) = (lines.count, lines[0].count)
        let numbers =
            isTransposed ? (0..<length).flatMap { number in lines.map { $0[number] } } : lines.flatMap(\.self)
        let shape = isTransposed ? [1, length, count] : isSSD ? [1, 1, count, length] : [1, count, length]
        var writer = OnnxWriter(input: [1, 1, 255, 255])
        writer.constant("zero", [1], [0])
        writer.constant("numbers", shape, numbers)
        writer.node("GlobalAveragePool", ["input"], "mean")
        writer.constant("one", whole: [1])
        writer.node("Reshape", ["mean", "one"], "flat")
        writer.node("Mul", ["flat", "zero"], "nothing")
        writer.node("Add", ["numbers", "nothing"], "found")
        return (writer.model(outputs: [("found", shape)]), try Canvas(255, 255).picture)
    }
}
