import Foundation
import SeededRandom

/// Writes ONNX models, as far as tests need it: onnx.proto3 of ONNX 1.12 (IR version 8, operator set 13) in
/// protobuf's wire format.
struct OnnxWriter {
    private var nodes: [[UInt8]] = []
    private var constants: [[UInt8]] = []
    private let input: [UInt8]

    /// A dimension of -1 is left open.
    init(input shape: [Int], type: Int = 1) { input = Self.port("input", shape, type: type) }

    mutating func node(_ kind: String, _ inputs: [String], _ output: String, _ attributes: [[UInt8]] = []) {
        nodes.append(
            inputs.flatMap { Wire.field(1, $0) } + Wire.field(2, output) + Wire.field(3, output) + Wire.field(4, kind)
                + attributes.flatMap { Wire.field(5, $0) }
        )
    }

    mutating func constant(_ name: String, _ shape: [Int], _ values: [Float]) {
        precondition(values.count == shape.reduce(1, *))
        let bytes = values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
        tensor(name, shape, type: 1, bytes)
    }

    mutating func constant(_ name: String, whole values: [Int]) {
        let bytes = values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        tensor(name, [values.count], type: 7, bytes)
    }

    private mutating func tensor(_ name: String, _ shape: [Int], type: Int, _ bytes: [UInt8]) {
        constants.append(
            shape.flatMap { Wire.field(1, $0) } + Wire.field(2, type) + Wire.field(8, name) + Wire.field(9, bytes)
        )
    }

    /// The model's bytes; `outputs` are names of nodes' outputs.
    func model(outputs: [(name: String, shape: [Int])], type: Int = 1) -> [UInt8] {
        let graph =
            nodes.flatMap { Wire.field(1, $0) } + Wire.field(2, "graph") + constants.flatMap { Wire.field(5, $0) }
            + Wire.field(11, input)
            + outputs.flatMap { Wire.field(12, Self.port($0.name, $0.shape, type: type)) }
        return Wire.field(1, 8) + Wire.field(7, graph) + Wire.field(8, Wire.field(1, "") + Wire.field(2, 13))
    }

    static func whole(_ name: String, _ value: Int) -> [UInt8] {
        Wire.field(1, name) + Wire.field(3, value) + Wire.field(20, 2)
    }

    static func wholes(_ name: String, _ values: [Int]) -> [UInt8] {
        Wire.field(1, name) + values.flatMap { Wire.field(8, $0) } + Wire.field(20, 7)
    }

    private static func port(_ name: String, _ shape: [Int], type: Int) -> [UInt8] {
        let dimensions = shape.flatMap { size in
            Wire.field(1, size == -1 ? Wire.field(2, "open") : Wire.field(1, size))
        }
        let tensor = Wire.field(1, type) + Wire.field(2, dimensions)
        return Wire.field(1, name) + Wire.field(2, Wire.field(1, tensor))
    }

    /// Protobuf's wire format.
    private enum Wire {
        static func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] {
            varint(number << 3 | 2) + varint(bytes.count) + bytes
        }

        static func field(_ number: Int, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

        static func field(_ number: Int, _ value: Int) -> [UInt8] { varint(number << 3) + varint(value) }

        private static func varint(_ value: Int) -> [UInt8] {
            var rest = UInt64(bitPattern: Int64(value))
            var bytes: [UInt8] = []
            repeat {
                bytes.append(UInt8(rest & 127) | (rest > 127 ? 128 : 0))
                rest >>= 7
            } while rest > 0
            return bytes
        }
    }
}

/// Small models, each for one job.
enum TinyModels {
    /// Mean of each of three channels: a classifier of colours.
    static func colours(side: Int) -> [UInt8] {
        var writer = OnnxWriter(input: [1, 3, side, side])
        writer.node("GlobalAveragePool", ["input"], "confidences")
        return writer.model(outputs: [("confidences", [1, 3, 1, 1])])
    }

    /// Mean over blocks of 2x2 pixels and the channels.
    static func map(width: Int, height: Int) -> [UInt8] {
        var writer = OnnxWriter(input: [1, 3, height, width])
        writer.constant("weights", [1, 3, 2, 2], [Float](repeating: 1 / 12, count: 12))
        writer.node("Conv", ["input", "weights"], "map", [OnnxWriter.wholes("strides", [2, 2])])
        return writer.model(outputs: [("map", [1, 1, height / 2, width / 2])])
    }

    /// Each channel is the confidence of one class; sizes are left open.
    static func channelsAsClasses() -> [UInt8] {
        var writer = OnnxWriter(input: [1, 3, -1, -1])
        writer.node("Identity", ["input"], "classes")
        return writer.model(outputs: [("classes", [1, 3, -1, -1])])
    }

    /// The index of the strongest of three channels of bytes.
    static func strongestChannel(side: Int) -> [UInt8] {
        var writer = OnnxWriter(input: [1, 3, side, side], type: 2)
        writer.node("Cast", ["input"], "floats", [OnnxWriter.whole("to", 1)])
        writer.node("ArgMax", ["floats"], "labels", [OnnxWriter.whole("axis", 1), OnnxWriter.whole("keepdims", 0)])
        return writer.model(outputs: [("labels", [1, side, side])], type: 7)
    }

    /// Three layers of random convolutions and a pooling.
    static func network(side: Int, _ generator: inout SplitMix64) -> [UInt8] {
        var writer = OnnxWriter(input: [1, 3, side, side])
        var (last, channels) = ("input", 3)
        for layer in 0..<3 {
            let weights = (0..<16 * channels * 9).map { _ in Float.random(in: -0.2...0.2, using: &generator) }
            writer.constant("weights\(layer)", [16, channels, 3, 3], weights)
            writer.node("Conv", [last, "weights\(layer)"], "conv\(layer)", [OnnxWriter.wholes("pads", [1, 1, 1, 1])])
            writer.node("Relu", ["conv\(layer)"], "layer\(layer)")
            (last, channels) = ("layer\(layer)", 16)
        }
        writer.node("GlobalAveragePool", [last], "features")
        return writer.model(outputs: [("features", [1, 16, 1, 1]), (last, [1, 16, side, side])])
    }
}
