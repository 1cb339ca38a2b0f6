import Synchronization

/// Features of a picture at several resolutions, as the layers of a network give them (hypercolumns; Hariharan et al.,
/// 2015). The first layer has the finest cells; each other layer's cells are a whole number of them wide and high.
package struct FeaturePyramid: Equatable, Sendable {
    /// One layer: plane by plane, row by row.
    package struct Layer: Equatable, Sendable {
        package let columns: Int
        package let rows: Int
        /// Features a cell.
        package let depth: Int
        package let values: [Float]

        package init(columns: Int, rows: Int, depth: Int, values: [Float]) {
            precondition(values.count == columns * rows * depth, "\(values.count) of \(columns)x\(rows)x\(depth)")
            (self.columns, self.rows, self.depth, self.values) = (columns, rows, depth, values)
        }
    }

    package let layers: [Layer]

    package init(layers: [Layer]) {
        precondition(layers.first.map { first in layers.allSatisfy { first.columns % $0.columns == 0 } } ?? false)
        self.layers = layers
    }

    package var columns: Int { layers[0].columns }
    package var rows: Int { layers[0].rows }
    /// Features of a cell, all layers together.
    package var depth: Int { layers.reduce(0) { $0 + $1.depth } }

    /// The features of the finest cell at (`x`, `y`), those of coarser layers between their cells' centres.
    package func write(x: Int, y: Int, to out: UnsafeMutableBufferPointer<Float>) {
        var at = 0
        for layer in layers {
            let across = Between(x, columns / layer.columns, layer.columns)
            let down = Between(y, rows / layer.rows, layer.rows)
            layer.values.withUnsafeBufferPointer { values in
                for feature in 0..<layer.depth {
                    let plane = feature * layer.columns * layer.rows
                    let (above, below) = (plane + down.first * layer.columns, plane + down.second * layer.columns)
                    let upper = across.value(values[above + across.first], values[above + across.second])
                    let lower = across.value(values[below + across.first], values[below + across.second])
                    out[at + feature] = down.value(upper, lower)
                }
            }
            at += layer.depth
        }
    }
}

/// Where a fine cell's centre lies between those of cells `factor` times as large.
struct Between {
    let first: Int
    let second: Int
    /// Share of the second.
    let share: Float

    init(_ fine: Int, _ factor: Int, _ count: Int) {
        self.init(position: (Float(fine) + 0.5) / Float(factor) - 0.5, count)
    }

    /// `position` counts from the centre of the first cell.
    init(position: Float, _ count: Int) {
        let position = max(0, min(Float(count - 1), position))
        first = Int(position)
        second = min(first + 1, count - 1)
        share = position - Float(first)
    }

    @inline(__always)
    func value(_ first: Float, _ second: Float) -> Float { first + share * (second - first) }
}

/// What turns pictures into features of fine cells. The same picture gives the same bits.
package protocol PixelFeatureSource: Sendable {
    /// SHA-256 over what the features depend on; models name it.
    var sha256: String { get }
    /// Width and height that pictures are brought to are multiples of it, pixels.
    var step: Int { get }
    /// Features of the picture brought to `width` x `height` pixels.
    func pyramid(of picture: Picture, width: Int, height: Int) throws(NeuralError) -> FeaturePyramid
}

/// The anomaly tool's backbone (`FeatureBackbone`) with its inner layers of 2, 4, 8 and 16 pixels a cell; the finest is
/// averaged to 4.
package final class PixelBackbone: PixelFeatureSource {
    package var sha256: String { FeatureBackbone.fileSHA256 }
    package let step = 16
    private let runtime: NeuralRuntime
    private let network: NeuralFile
    private let sized = Mutex<[Sized]>([])

    /// Sizes of pictures for which compiled networks are kept.
    private static let maxSizes = 4
    /// Tensors of `deploy/neural/backbone.py` that are handed out beside the last one: of 2, 4 and 8 pixels a cell.
    private static let inner = ["block0/narrow", "block2/sum", "block4/sum"]

    /// The network for one size of input.
    private struct Sized: Sendable {
        let model: NeuralModel
        let input: PictureInput
    }

    /// The backbone where set-up puts it; what is missing is named.
    package static func installed() throws(NeuralError) -> PixelBackbone {
        guard let path = NeuralPlace.find(FeatureBackbone.file) else {
            throw NeuralError(
                "no \(FeatureBackbone.file) in \(NeuralPlace.folders.joined(separator: ", ")): \(NeuralPlace.remedy)"
            )
        }
        let file = try NeuralFile.read(path, sha256: FeatureBackbone.fileSHA256)
        guard case .onnx(let bytes) = file else { throw NeuralError("\(path): not an ONNX model") }
        return PixelBackbone(
            runtime: try NeuralRuntime.shared(),
            network: .onnx(bytes + OnnxOutputs.added(inner))
        )
    }

    private init(runtime: NeuralRuntime, network: NeuralFile) { (self.runtime, self.network) = (runtime, network) }

    package func pyramid(of picture: Picture, width: Int, height: Int) throws(NeuralError) -> FeaturePyramid {
        let sized = try sized(width, height)
        return try sized.model.run(
            shape: sized.input.shape,
            fill: { sized.input.write(picture, to: $0) },
            read: { outputs throws(NeuralError) in
                let cells = [16, 2, 4, 8]
                let isExpected =
                    outputs.count == cells.count
                    && zip(outputs, cells).allSatisfy { output, cell in
                        output.shape.count == 4 && output.shape[2] == height / cell && output.shape[3] == width / cell
                    }
                guard isExpected else {
                    throw NeuralError("\(FeatureBackbone.file): unexpected outputs; run deploy/setup --neural again")
                }
                let deep = outputs.map { Self.layer($0) }
                return FeaturePyramid(layers: [Self.halved(deep[1]), deep[2], deep[3], deep[0]])
            }
        )
    }

    private func sized(_ width: Int, _ height: Int) throws(NeuralError) -> Sized {
        try sized.withLock { kept throws(NeuralError) in
            if let found = kept.first(where: { $0.input.width == width && $0.input.height == height }) { return found }
            let shape = [1, 3, height, width]
            let model = try NeuralModel(network, name: FeatureBackbone.file, shape: shape, runtime: runtime)
            let input = PictureInput(width: width, height: height, channels: .rgb, method: .area, scale: 1)
            let made = Sized(model: model, input: input)
            kept = [made] + kept.prefix(Self.maxSizes - 1)
            return made
        }
    }

    private static func layer(_ output: NeuralOutput) -> FeaturePyramid.Layer {
        .init(columns: output.shape[3], rows: output.shape[2], depth: output.shape[1], values: Array(output.values))
    }

    /// The mean of each 2 x 2 cells.
    private static func halved(_ layer: FeaturePyramid.Layer) -> FeaturePyramid.Layer {
        let (columns, rows) = (layer.columns / 2, layer.rows / 2)
        let count = columns * rows * layer.depth
        let values = [Float](unsafeUninitializedCapacity: count) { out, initialised in
            layer.values.withUnsafeBufferPointer { values in
                // Planes have an even number of rows, so that rows can be counted through all of them.
                for row in 0..<rows * layer.depth {
                    let (upper, lower) = (2 * row * layer.columns, (2 * row + 1) * layer.columns)
                    for x in 0..<columns {
                        let above = values[upper &+ 2 &* x] + values[upper &+ 2 &* x &+ 1]
                        let below = values[lower &+ 2 &* x] + values[lower &+ 2 &* x &+ 1]
                        out[row &* columns &+ x] = (above + below) / 4
                    }
                }
            }
            initialised = count
        }
        return .init(columns: columns, rows: rows, depth: layer.depth, values: values)
    }
}

/// Makes inner tensors of an ONNX model outputs too.
enum OnnxOutputs {
    /// What to append to the model's file: a second `ModelProto.graph` that has nothing but outputs. Where a message
    /// comes twice, its fields are joined (Protocol Buffers encoding, "Last One Wins").
    static func added(_ names: [String]) -> [UInt8] {
        let (graph, output) = (7, 12)
        return message(graph, names.flatMap { message(output, message(1, Array($0.utf8)) + message(2, float)) })
    }

    /// `TypeProto` of a tensor of 32-bit floats of any shape.
    private static let float = message(1, [1 << 3, 1])

    private static func message(_ field: Int, _ bytes: [UInt8]) -> [UInt8] {
        var length = bytes.count
        var out = [UInt8(field << 3 | 2)]
        while length > 127 {
            out.append(UInt8(length & 127 | 128))
            length >>= 7
        }
        return out + [UInt8(length)] + bytes
    }
}
