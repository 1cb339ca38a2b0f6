import Synchronization

/// Features of a picture, cell by cell, as a network's inner layer gives them.
package struct FeatureMap: Equatable, Sendable {
    package let columns: Int
    package let rows: Int
    /// Features a cell.
    package let depth: Int
    /// Row by row, cell by cell, feature by feature.
    package let values: [Float]

    package init(columns: Int, rows: Int, depth: Int, values: [Float]) {
        precondition(values.count == columns * rows * depth, "\(values.count) values, \(columns)x\(rows)x\(depth)")
        (self.columns, self.rows, self.depth, self.values) = (columns, rows, depth, values)
    }

    package var cells: Int { columns * rows }
}

/// What turns pictures into features. The same picture gives the same bits.
package protocol FeatureSource: Sendable {
    /// SHA-256 over what the features depend on; models name it.
    var sha256: String { get }
    /// Pixels that one cell stands for, each way, of the picture brought to `width` x `height`.
    var cellSize: Int { get }
    /// Features of the picture brought to `width` x `height` pixels, both multiples of `cellSize`.
    func features(of picture: Picture, width: Int, height: Int) throws(NeuralError) -> FeatureMap
}

/// The installed backbone: EfficientNet-Lite0 (Tan and Le, 2019) trained on ImageNet, up to the layer that
/// `deploy/neural/backbone.py` names, each cell averaged with its neighbours as PatchCore does (Roth et al., 2022, 3.1).
package final class FeatureBackbone: FeatureSource {
    /// Below the folder of `NeuralPlace`.
    package static let file = "efficientnet-lite0/features.onnx"
    /// Of the file that `deploy/neural/backbone.py` writes; features of another would not compare.
    package static let fileSHA256 = "dc5916f0baccaea7e6432ae0153b25e657b76bb0a3aae6a302c4a44a42e1f381"

    package var sha256: String { Self.fileSHA256 }
    package let cellSize = 16
    private let runtime: NeuralRuntime
    private let network: NeuralFile
    private let sized = Mutex<[Sized]>([])

    /// Sizes of pictures for which compiled networks are kept.
    private static let maxSizes = 4

    /// The network for one size of input.
    private struct Sized: Sendable {
        let width: Int
        let height: Int
        let model: NeuralModel
        let input: PictureInput
    }

    /// The backbone where set-up puts it; what is missing is named.
    package static func installed() throws(NeuralError) -> FeatureBackbone {
        guard let path = NeuralPlace.find(file) else {
            throw NeuralError("no \(file) in \(NeuralPlace.folders.joined(separator: ", ")): \(NeuralPlace.remedy)")
        }
        return try FeatureBackbone(
            runtime: try NeuralRuntime.shared(),
            network: try NeuralFile.read(path, sha256: fileSHA256)
        )
    }

    private init(runtime: NeuralRuntime, network: NeuralFile) throws(NeuralError) {
        (self.runtime, self.network) = (runtime, network)
    }

    package func features(of picture: Picture, width: Int, height: Int) throws(NeuralError) -> FeatureMap {
        let sized = try sized(width, height)
        return try sized.model.run(
            shape: sized.input.shape,
            fill: { sized.input.write(picture, to: $0) },
            read: { outputs throws(NeuralError) in
                guard let output = outputs.first, output.shape.count == 4, output.shape[2] == height / cellSize,
                    output.shape[3] == width / cellSize
                else { throw NeuralError("\(Self.file): unexpected output; run deploy/setup --neural again") }
                return Self.averaged(
                    output.values,
                    columns: output.shape[3],
                    rows: output.shape[2],
                    depth: output.shape[1]
                )
            }
        )
    }

    private func sized(_ width: Int, _ height: Int) throws(NeuralError) -> Sized {
        try sized.withLock { kept throws(NeuralError) in
            if let found = kept.first(where: { $0.width == width && $0.height == height }) { return found }
            let model = try NeuralModel(network, name: Self.file, shape: [1, 3, height, width], runtime: runtime)
            let input = PictureInput(width: width, height: height, channels: .rgb, method: .area, scale: 1)
            let made = Sized(width: width, height: height, model: model, input: input)
            kept = [made] + kept.prefix(Self.maxSizes - 1)
            return made
        }
    }

    /// The mean over the 3x3 cells around each, the border's cells repeated; from feature by feature to cell by cell.
    private static func averaged(
        _ planes: UnsafeBufferPointer<Float>,
        columns: Int,
        rows: Int,
        depth: Int
    ) -> FeatureMap {
        let count = columns * rows
        let values = [Float](unsafeUninitializedCapacity: count * depth) { out, initialised in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { sums in
                for feature in 0..<depth {
                    for row in 0..<rows {
                        let above = feature * count + max(0, row - 1) * columns
                        let here = feature * count + row * columns
                        let below = feature * count + min(rows - 1, row + 1) * columns
                        for x in 0..<columns { sums[x] = planes[above + x] + planes[here + x] + planes[below + x] }
                        for x in 0..<columns {
                            let sum = sums[max(0, x - 1)] + sums[x] + sums[min(columns - 1, x + 1)]
                            out[(row * columns + x) * depth + feature] = sum / 9
                        }
                    }
                }
            }
            initialised = count * depth
        }
        return FeatureMap(columns: columns, rows: rows, depth: depth, values: values)
    }
}
