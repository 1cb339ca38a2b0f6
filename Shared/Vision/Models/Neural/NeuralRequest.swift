import CNeural

/// One output of one run; valid during the call that hands it out.
package struct NeuralOutput {
    package let shape: [Int]
    package let values: UnsafeBufferPointer<Float>
}

/// An infer request with its tensors, used by one call at a time and then again.
// The pool of NeuralModel hands it to one call at a time; OpenVINO runs different requests at the same time.
final class NeuralRequest: @unchecked Sendable {
    private let compiled: NeuralCompiled
    private let name: String
    private let handle: NeuralHandle
    private let inputTensor: NeuralHandle
    /// Where the input is filled in for a model that takes bytes.
    private var inputFloats = NeuralFloats(0)
    private var inputShape: [Int]
    private var outputs: [Output]

    /// An output's tensor, and its numbers as floats where the model gives others.
    private struct Output {
        let port: NeuralPort
        var tensor: NeuralHandle
        var floats = NeuralFloats(0)
        var shape: [Int] = []
        /// Whether each run has the same shape, and so the same tensor.
        let isFixed: Bool
    }

    init(_ compiled: NeuralCompiled, name: String) throws(NeuralError) {
        let library = compiled.library
        let functions = library.functions.pointee
        self.compiled = compiled
        self.name = name
        let made = try library.make("make a request of \(name)", free: functions.ov_infer_request_free) {
            functions.ov_compiled_model_create_infer_request(compiled.handle.pointer, $0)
        }
        handle = made
        inputTensor = try library.make("find the input of \(name)", free: functions.ov_tensor_free) {
            functions.ov_infer_request_get_input_tensor_by_index(made.pointer, 0, $0)
        }
        inputShape = compiled.input.shape
        outputs = []
        for (index, port) in compiled.outputs.enumerated() {
            let tensor = try Self.outputTensor(index, of: made, compiled, name)
            let isFixed = !port.shape.contains(-1)
            outputs.append(Output(port: port, tensor: tensor, shape: isFixed ? port.shape : [], isFixed: isFixed))
        }
    }

    /// Runs the model; the outputs stay valid until the next run.
    func run(
        shape: [Int],
        fill: (UnsafeMutableBufferPointer<Float>) -> Void
    ) throws(NeuralError) -> [NeuralOutput] {
        try setInput(shape, fill)
        let library = compiled.library
        try library.check(library.functions.pointee.ov_infer_request_infer(handle.pointer), "run \(name)")
        var results: [NeuralOutput] = []
        results.reserveCapacity(outputs.count)
        for index in outputs.indices { results.append(try output(index)) }
        return results
    }

    private func setInput(
        _ shape: [Int],
        _ fill: (UnsafeMutableBufferPointer<Float>) -> Void
    ) throws(NeuralError) {
        let functions = compiled.library.functions.pointee
        if shape != inputShape {
            var dimensions = shape.map(Int64.init)
            let status = dimensions.withUnsafeMutableBufferPointer {
                let given = ov_shape_t(rank: Int64($0.count), dims: $0.baseAddress)
                return functions.ov_tensor_set_shape(inputTensor.pointer, given)
            }
            try compiled.library.check(status, "give the input of \(name) the shape \(shape)")
            inputShape = shape
        }
        let count = shape.reduce(1, *)
        let data = try data(of: inputTensor, holding: count, of: compiled.input)
        guard compiled.input.element == .uint8 else {
            fill(UnsafeMutableBufferPointer(start: data.assumingMemoryBound(to: Float.self), count: count))
            return
        }
        if inputFloats.buffer.count != count { inputFloats = NeuralFloats(count) }
        let bytes = data.assumingMemoryBound(to: UInt8.self)
        let floats = inputFloats.buffer
        fill(floats)
        for index in 0..<count { bytes[index] = UInt8(max(0, min(255, floats[index].rounded()))) }
    }

    private func output(_ index: Int) throws(NeuralError) -> NeuralOutput {
        if !outputs[index].isFixed {
            outputs[index].tensor = try Self.outputTensor(index, of: handle, compiled, name)
            outputs[index].shape = try shape(of: outputs[index].tensor)
        }
        let (port, shape) = (outputs[index].port, outputs[index].shape)
        let count = shape.reduce(1, *)
        let data = try data(of: outputs[index].tensor, holding: count, of: port)
        guard port.element != .float32 else {
            let start = data.assumingMemoryBound(to: Float.self)
            return NeuralOutput(shape: shape, values: UnsafeBufferPointer(start: start, count: count))
        }
        if outputs[index].floats.buffer.count != count { outputs[index].floats = NeuralFloats(count) }
        let floats = outputs[index].floats.buffer
        port.element.convert(data, to: floats)
        return NeuralOutput(shape: shape, values: UnsafeBufferPointer(floats))
    }

    private func shape(of tensor: NeuralHandle) throws(NeuralError) -> [Int] {
        let functions = compiled.library.functions.pointee
        var shape = ov_shape_t()
        let status = functions.ov_tensor_get_shape(tensor.pointer, &shape)
        try compiled.library.check(status, "tell the shape of an output of \(name)")
        defer { _ = functions.ov_shape_free(&shape) }
        return (0..<Int(shape.rank)).map { Int(shape.dims[$0]) }
    }

    /// The tensor's memory, once it is found to be as large as what is read from it or written to it.
    private func data(
        of tensor: NeuralHandle,
        holding count: Int,
        of port: NeuralPort
    ) throws(NeuralError) -> UnsafeMutableRawPointer {
        let functions = compiled.library.functions.pointee
        var size = 0
        var data: UnsafeMutableRawPointer?
        try compiled.library.check(
            functions.ov_tensor_get_byte_size(tensor.pointer, &size),
            "tell the size of \(port.name) of \(name)"
        )
        try compiled.library.check(functions.ov_tensor_data(tensor.pointer, &data), "show \(port.name) of \(name)")
        guard let data, size == count * port.element.bytes else {
            throw NeuralError("model \(name): \(size) bytes at \(port.name); expected \(count) of \(port.element)")
        }
        return data
    }

    private static func outputTensor(
        _ index: Int,
        of request: NeuralHandle,
        _ compiled: NeuralCompiled,
        _ name: String
    ) throws(NeuralError) -> NeuralHandle {
        let functions = compiled.library.functions.pointee
        return try compiled.library.make("find output \(index) of \(name)", free: functions.ov_tensor_free) {
            functions.ov_infer_request_get_output_tensor_by_index(request.pointer, index, $0)
        }
    }
}

/// Memory of its own that outlives the call that fills it.
private final class NeuralFloats {
    let buffer: UnsafeMutableBufferPointer<Float>

    init(_ count: Int) {
        buffer = .allocate(capacity: count)
        buffer.initialize(repeating: 0)
    }

    deinit { buffer.deallocate() }
}

extension NeuralElement {
    /// Bytes of one number.
    var bytes: Int {
        switch self {
        case .boolean, .uint8: 1
        case .float16: 2
        case .float32, .int32: 4
        case .int64: 8
        }
    }

    /// Writes as many numbers as `floats` has places.
    func convert(_ data: UnsafeMutableRawPointer, to floats: UnsafeMutableBufferPointer<Float>) {
        func each<Number>(_: Number.Type, _ value: (Number) -> Float) {
            let numbers = data.assumingMemoryBound(to: Number.self)
            for index in floats.indices { floats[index] = value(numbers[index]) }
        }
        switch self {
        case .boolean: each(UInt8.self) { $0 == 0 ? 0 : 1 }
        case .uint8: each(UInt8.self) { Float($0) }
        case .float16: each(Float16.self) { Float($0) }
        case .float32: each(Float.self) { $0 }
        case .int32: each(Int32.self) { Float($0) }
        case .int64: each(Int64.self) { Float($0) }
        }
    }
}
