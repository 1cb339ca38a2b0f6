import CNeural
import Synchronization

/// An input or output of a model.
package struct NeuralPort: Equatable, Sendable {
    package let name: String
    /// -1 where the model takes any size.
    package let shape: [Int]
    package let element: NeuralElement

    package init(name: String, shape: [Int], element: NeuralElement) {
        (self.name, self.shape, self.element) = (name, shape, element)
    }
}

/// Numbers with their shape, last dimension fastest.
package struct Tensor: Equatable, Sendable {
    package let shape: [Int]
    package let values: [Float]

    package init(shape: [Int], values: [Float]) {
        self.shape = shape
        self.values = values
    }
}

/// A model as its file holds it.
package enum NeuralFile: Sendable {
    /// ONNX, weights included (no external data).
    case onnx([UInt8])
    /// OpenVINO's intermediate representation: the .xml and the .bin.
    case representation([UInt8], weights: [UInt8])

    /// Largest file accepted, bytes.
    package static let maxBytes = 1 << 30

    /// Reads the model and checks the SHA-256 of each of its files where it is given. Beside `x.xml` lies `x.bin`.
    package static func read(
        _ path: String,
        sha256: String? = nil,
        weightsSHA256: String? = nil
    ) throws(NeuralError) -> NeuralFile {
        let bytes = try bytes(path, sha256: sha256)
        guard path.hasSuffix(".xml") else { return .onnx(bytes) }
        return .representation(bytes, weights: try self.bytes(path.dropLast(4) + ".bin", sha256: weightsSHA256))
    }

    private static func bytes(_ path: String, sha256: String?) throws(NeuralError) -> [UInt8] {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, atMost: maxBytes)
        } catch {
            throw NeuralError("model \(error)")
        }
        if let sha256, hexSHA256(bytes) != sha256 {
            throw NeuralError("model \(path): its SHA-256 is \(hexSHA256(bytes)); expected \(sha256): bring that file")
        }
        return bytes
    }
}

/// A model with one input, compiled for one thread of the CPU in 32-bit floats: the same input gives the same bits
/// whatever ran before, on the same build of OpenVINO and class of CPU (M20). It runs one picture at a time, so that
/// no batch size can change them.
///
/// May be used from several threads at once: each call takes an infer request of its own out of a pool.
package final class NeuralModel: Sendable {
    /// Name in errors; the file's, mostly.
    package let name: String
    package let input: NeuralPort
    package let outputs: [NeuralPort]

    private let compiled: NeuralCompiled
    private let idle = Mutex<[NeuralRequest]>([])

    /// Most requests kept for the next call.
    private static let maxIdle = 16

    /// Compiles the model; `shape` fixes the sizes that it leaves open (-1 leaves one open).
    package init(
        _ file: NeuralFile,
        name: String,
        shape: [Int]? = nil,
        runtime: NeuralRuntime
    ) throws(NeuralError) {
        self.name = name
        compiled = try NeuralCompiled(file, name: name, shape: shape, library: runtime.library)
        (input, outputs) = (compiled.input, compiled.outputs)
    }

    /// The outputs for one input, by name.
    package func run(_ values: [Float], shape: [Int]) throws(NeuralError) -> [String: Tensor] {
        let count = shape.reduce(1, *)
        guard values.count == count else {
            throw NeuralError("model \(name): \(values.count) values given; the shape \(shape) has \(count)")
        }
        return try run(
            shape: shape,
            fill: { buffer in
                values.withUnsafeBufferPointer { given in
                    for index in 0..<count { buffer[index] = given[index] }
                }
            },
            read: { results in
                Dictionary(
                    zip(outputs.map(\.name), results.map { Tensor(shape: $0.shape, values: Array($0.values)) }),
                    uniquingKeysWith: { first, _ in first }
                )
            }
        )
    }

    /// Runs without copies: `fill` writes the input, `read` reads the outputs, in the order of `outputs`, which are
    /// valid only during the call.
    package func run<Result>(
        shape: [Int],
        fill: (UnsafeMutableBufferPointer<Float>) -> Void,
        read: ([NeuralOutput]) throws(NeuralError) -> Result
    ) throws(NeuralError) -> Result {
        guard fits(shape) else {
            let taken = Self.shown(input.shape)
            throw NeuralError("model \(name): input \"\(input.name)\" of shape \(shape) given; it takes \(taken)")
        }
        let request: NeuralRequest
        if let kept = idle.withLock({ $0.popLast() }) {
            request = kept
        } else {
            request = try NeuralRequest(compiled, name: name)
        }
        let result = try read(try request.run(shape: shape, fill: fill))
        idle.withLock { if $0.count < Self.maxIdle { $0.append(request) } }
        return result
    }

    private func fits(_ shape: [Int]) -> Bool {
        shape.count == input.shape.count && shape.allSatisfy { (1...1 << 24).contains($0) }
            && zip(shape, input.shape).allSatisfy { $1 == -1 || $0 == $1 }
            && shape.reduce(1.0, { $0 * Double($1) }) <= Double(Picture.maxPixels)
    }

    static func shown(_ shape: [Int]) -> String {
        "[\(shape.map { $0 == -1 ? "?" : "\($0)" }.joined(separator: ", "))]"
    }
}
