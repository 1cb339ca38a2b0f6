import CNeural

/// A compiled model: what requests are made from.
// OpenVINO makes the requests of one compiled model from any thread; all else is written once in init.
final class NeuralCompiled: @unchecked Sendable {
    let library: NeuralLibrary
    let input: NeuralPort
    let outputs: [NeuralPort]
    let handle: NeuralHandle
    /// The graph may point into them as long as it lives.
    private let weights: NeuralHandle?

    init(_ file: NeuralFile, name: String, shape: [Int]?, library: NeuralLibrary) throws(NeuralError) {
        self.library = library
        let functions = library.functions.pointee
        let description: [UInt8]
        switch file {
        case .onnx(let bytes):
            description = bytes
            weights = nil
        case .representation(let bytes, let data):
            description = bytes
            weights = try Self.tensor(of: data, name: name, library: library)
        }
        let data = weights?.pointer
        let model = try library.make("read the model \(name)", free: functions.ov_model_free) { out in
            description.withUnsafeBytes {
                let text = $0.baseAddress?.assumingMemoryBound(to: CChar.self)
                return functions.ov_core_read_model_from_memory_buffer(library.core, text, $0.count, data, out)
            }
        }
        let ports = NeuralPorts(model: model, name: name, library: library)
        if let shape { try ports.reshape(to: shape) }
        input = try ports.input()
        outputs = try ports.outputs()
        handle = try library.make("compile the model \(name)", free: functions.ov_compiled_model_free) {
            neural_compile(library.functions, library.core, model.pointer, $0)
        }
    }

    private static func tensor(
        of bytes: [UInt8],
        name: String,
        library: NeuralLibrary
    ) throws(NeuralError) -> NeuralHandle {
        let functions = library.functions.pointee
        let tensor = try library.make("hold the weights of \(name)", free: functions.ov_tensor_free) { out in
            var count = Int64(bytes.count)
            return withUnsafeMutablePointer(to: &count) {
                functions.ov_tensor_create(library.number(of: .uint8), ov_shape_t(rank: 1, dims: $0), out)
            }
        }
        var data: UnsafeMutableRawPointer?
        try library.check(functions.ov_tensor_data(tensor.pointer, &data), "hold the weights of \(name)")
        bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: data, count: bytes.count).copyMemory(from: $0) }
        return tensor
    }
}

/// Inputs and outputs of a model that is not compiled yet.
private struct NeuralPorts {
    let model: NeuralHandle
    let name: String
    let library: NeuralLibrary

    private var functions: NeuralApi { library.functions.pointee }

    func input() throws(NeuralError) -> NeuralPort {
        var count = 0
        try library.check(functions.ov_model_inputs_size(model.pointer, &count), "count the inputs of \(name)")
        guard count == 1 else {
            throw NeuralError("model \(name): \(count) inputs; expected exactly one, the picture")
        }
        let input = try port("input 0", functions.ov_model_const_input_by_index, 0)
        guard input.element == .float32 || input.element == .uint8 else {
            throw NeuralError(
                "model \(name): input \"\(input.name)\" of \(input.element); expected float32 or uint8: export it so"
            )
        }
        return input
    }

    func outputs() throws(NeuralError) -> [NeuralPort] {
        var count = 0
        try library.check(functions.ov_model_outputs_size(model.pointer, &count), "count the outputs of \(name)")
        guard (1...64).contains(count) else {
            throw NeuralError("model \(name): \(count) outputs; expected 1 to 64")
        }
        var outputs: [NeuralPort] = []
        for index in 0..<count {
            outputs.append(try port("output \(index)", functions.ov_model_const_output_by_index, index))
        }
        return outputs
    }

    func reshape(to shape: [Int]) throws(NeuralError) {
        let dimensions = shape.map { ov_dimension_t(min: Int64($0), max: Int64($0)) }
        var partial = ov_partial_shape_t()
        let created = functions.ov_partial_shape_create(Int64(shape.count), dimensions, &partial)
        try library.check(created, "take the shape \(shape)")
        defer { functions.ov_partial_shape_free(&partial) }
        let status = functions.ov_model_reshape_single_input(model.pointer, partial)
        try library.check(status, "give \(name) the input shape \(shape)")
    }

    private func port(
        _ label: String,
        _ get: (OpaquePointer?, Int, UnsafeMutablePointer<OpaquePointer?>?) -> Int32,
        _ index: Int
    ) throws(NeuralError) -> NeuralPort {
        let port = try library.make("find \(label) of \(name)", free: functions.ov_output_const_port_free) {
            get(model.pointer, index, $0)
        }
        var text: UnsafeMutablePointer<CChar>?
        // A port without a name is known by its index.
        let hasName = functions.ov_port_get_any_name(port.pointer, &text) == 0
        let portName = hasName ? text.map { String(cString: $0) } ?? label : label
        text.map { functions.ov_free($0) }
        var type: Int32 = 0
        try library.check(functions.ov_port_get_element_type(port.pointer, &type), "tell the type of \(portName)")
        guard let element = library.elementType(type) else {
            throw NeuralError(
                "model \(name): \(portName) has OpenVINO's element type \(type); expected boolean, float16, float32, "
                    + "int32, int64 or uint8"
            )
        }
        return NeuralPort(name: portName, shape: try shape(of: port, portName), element: element)
    }

    private func shape(of port: NeuralHandle, _ portName: String) throws(NeuralError) -> [Int] {
        var partial = ov_partial_shape_t()
        let status = functions.ov_port_get_partial_shape(port.pointer, &partial)
        try library.check(status, "tell the shape of \(portName)")
        defer { functions.ov_partial_shape_free(&partial) }
        guard partial.rank.min == partial.rank.max, (0...8).contains(partial.rank.max) else {
            throw NeuralError("model \(name): \(portName) has no fixed number of dimensions up to 8: export it so")
        }
        return (0..<Int(partial.rank.max)).map { index in
            let dimension = partial.dims[index]
            return dimension.min == dimension.max ? Int(dimension.max) : -1
        }
    }
}
