import CNeural

/// One object of OpenVINO's, freed with its last owner.
final class NeuralHandle {
    let pointer: OpaquePointer
    private let free: @convention(c) (OpaquePointer?) -> Void

    init(_ pointer: OpaquePointer, free: @escaping @convention(c) (OpaquePointer?) -> Void) {
        self.pointer = pointer
        self.free = free
    }

    deinit { free(pointer) }
}

/// The functions of a loaded OpenVINO and its core object. Never freed: threads of the library may outlive any user.
// OpenVINO documents ov::Core as thread-safe; the functions are written once, before anyone sees them.
struct NeuralLibrary: @unchecked Sendable {
    let functions: UnsafePointer<NeuralApi>
    let core: OpaquePointer
    let version: String
    /// How much the numbers of element types are above those of 2026 (until 2025 there was one more, "undefined").
    private let typeOffset: Int32

    init(_ functions: UnsafePointer<NeuralApi>) throws(NeuralError) {
        self.functions = functions
        var build = ov_version_t()
        guard functions.pointee.ov_get_openvino_version(&build) == 0, let number = build.buildNumber else {
            throw NeuralError("OpenVINO does not tell its version: \(NeuralPlace.remedy)")
        }
        version = String(cString: number)
        functions.pointee.ov_version_free(&build)
        var core: OpaquePointer?
        let status = functions.pointee.ov_core_create(&core)
        guard status == 0, let core else {
            throw NeuralError("OpenVINO \(version) does not start: \(Self.message(functions, status))")
        }
        self.core = core
        typeOffset = try Self.typeOffset(functions)
    }

    /// Asks for a tensor of one 32-bit float by its number of 2026, 4; before, 4 was the 16-bit float.
    private static func typeOffset(_ functions: UnsafePointer<NeuralApi>) throws(NeuralError) -> Int32 {
        var tensor: OpaquePointer?
        var size = 0
        var one: Int64 = 1
        let status = withUnsafeMutablePointer(to: &one) {
            functions.pointee.ov_tensor_create(4, ov_shape_t(rank: 1, dims: $0), &tensor)
        }
        guard status == 0, let tensor, functions.pointee.ov_tensor_get_byte_size(tensor, &size) == 0 else {
            throw NeuralError("OpenVINO makes no tensor: \(message(functions, status))")
        }
        functions.pointee.ov_tensor_free(tensor)
        return size == 4 ? 0 : 1
    }

    /// Fails with OpenVINO's own words where the status says so.
    func check(_ status: Int32, _ action: @autoclosure () -> String) throws(NeuralError) {
        guard status != 0 else { return }
        throw NeuralError("OpenVINO \(version) cannot \(action()): \(Self.message(functions, status))")
    }

    /// Makes an object by a function of OpenVINO's that hands it out.
    func make(
        _ action: @autoclosure () -> String,
        free: @escaping @convention(c) (OpaquePointer?) -> Void,
        _ create: (UnsafeMutablePointer<OpaquePointer?>) -> Int32
    ) throws(NeuralError) -> NeuralHandle {
        var made: OpaquePointer?
        try check(create(&made), action())
        guard let made else { throw NeuralError("OpenVINO \(version) cannot \(action()): it returned nothing") }
        return NeuralHandle(made, free: free)
    }

    func elementType(_ number: Int32) -> NeuralElement? { NeuralElement(rawValue: number - typeOffset) }

    func number(of type: NeuralElement) -> Int32 { type.rawValue + typeOffset }

    private static func message(_ functions: UnsafePointer<NeuralApi>, _ status: Int32) -> String {
        if let text = functions.pointee.ov_get_last_err_msg() {
            defer { functions.pointee.ov_free(text) }
            let lines = String(cString: text).split(separator: "\n").prefix(4).joined(separator: "; ")
            if !lines.isEmpty { return String(lines.prefix(400)) }
        }
        return functions.pointee.ov_get_error_info(status).map { String(cString: $0) } ?? "status \(status)"
    }
}

/// Element types that inputs and outputs can have, numbered as in OpenVINO 2026.
package enum NeuralElement: Int32, Sendable {
    case boolean = 1
    case float16 = 3
    case float32 = 4
    case int32 = 9
    case int64 = 10
    case uint8 = 16
}
