import CAravis

/// What Aravis said when a call failed.
struct AravisFailure: Error {
    let text: String
    /// The camera gave no answer in time: it may be gone.
    let isSilence: Bool
    /// The feature is of another kind: an enumeration, not a number.
    let isWrongKind: Bool

    fileprivate init(_ error: CAravisError) {
        isSilence = Int(error.code) == CARAVIS_ERROR_TIMEOUT
        isWrongKind = Int(error.code) == CARAVIS_ERROR_WRONG_FEATURE
        text = withUnsafeBytes(of: error.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// One camera opened through Aravis, closed when the last reference is gone or by `close`.
///
/// `@unchecked Sendable`: Aravis objects may be used from any thread, one at a time (Aravis API reference, "Thread
/// safety"); the camera's lock sees to that, and after `detach` only one thread has the handle.
final class AravisHandle: @unchecked Sendable {
    private let camera: OpaquePointer

    static func load() throws(AravisFailure) {
        var error = CAravisError()
        guard caravis_load(&error) else { throw AravisFailure(error) }
    }

    /// Opens the camera with that name or address and tries to take control of it.
    init(_ name: String) throws(AravisFailure) {
        try Self.load()
        var error = CAravisError()
        guard let camera = caravis_open(name, &error) else { throw AravisFailure(error) }
        self.camera = camera
    }

    /// False where another program has control of the camera.
    var isController: Bool { caravis_is_controller(camera) }

    /// Gives the camera back. Where it no longer `answers`, Aravis waits some seconds for it all the same.
    func close(answers: Bool) { caravis_close(camera, answers) }

    /// Whether Aravis lost control: no answer to its heartbeat for 5 s, or another program took over.
    var isLost: Bool { caravis_lost(camera) }

    /// Packets asked for again, and packets that never came.
    var packets: (resent: UInt64, missing: UInt64) {
        var (resent, missing): (UInt64, UInt64) = (0, 0)
        caravis_statistics(camera, &resent, &missing)
        return (resent, missing)
    }

    func has(_ feature: String) -> Bool { caravis_has(camera, feature) }

    func text(_ feature: String) throws(AravisFailure) -> String {
        var text = [CChar](repeating: 0, count: Int(CARAVIS_TEXT))
        try call { caravis_get_text(camera, feature, &text, &$0) }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func set(_ feature: String, text: String) throws(AravisFailure) {
        try call { caravis_set_text(camera, feature, text, &$0) }
    }

    func integer(_ feature: String) throws(AravisFailure) -> Int64 {
        var value: Int64 = 0
        try call { caravis_get_integer(camera, feature, &value, &$0) }
        return value
    }

    func set(_ feature: String, integer: Int64) throws(AravisFailure) {
        try call { caravis_set_integer(camera, feature, integer, &$0) }
    }

    func set(_ feature: String, number: Double) throws(AravisFailure) {
        try call { caravis_set_float(camera, feature, number, &$0) }
    }

    func set(_ feature: String, flag: Bool) throws(AravisFailure) {
        try call { caravis_set_boolean(camera, feature, flag, &$0) }
    }

    func setRegion(x: Int, y: Int, width: Int, height: Int) throws(AravisFailure) {
        try call { caravis_set_region(camera, Int32(x), Int32(y), Int32(width), Int32(height), &$0) }
    }

    /// One of the settings whose GenICam name differs from maker to maker.
    enum Setting { case exposureUs, gain, frameRate }

    func value(_ setting: Setting) throws(AravisFailure) -> Double {
        var value = 0.0
        switch setting {
        case .exposureUs: try call { caravis_get_exposure_us(camera, &value, &$0) }
        case .gain: try call { caravis_get_gain(camera, &value, &$0) }
        case .frameRate: try call { caravis_get_frame_rate(camera, &value, &$0) }
        }
        return value
    }

    func set(_ setting: Setting, _ value: Double) throws(AravisFailure) {
        switch setting {
        case .exposureUs: try call { caravis_set_exposure_us(camera, value, &$0) }
        case .gain: try call { caravis_set_gain(camera, value, &$0) }
        case .frameRate: try call { caravis_set_frame_rate(camera, value, &$0) }
        }
    }

    /// Waits for the signal at `source`; nil for free run.
    func setTrigger(_ source: String?) throws(AravisFailure) {
        try call { caravis_set_trigger(camera, source, &$0) }
    }

    func fire() throws(AravisFailure) { try call { caravis_fire(camera, &$0) } }

    /// 0 for the largest packets that get through.
    func setPacketSize(_ bytes: Int) throws(AravisFailure) {
        try call { caravis_set_packet_size(camera, Int32(bytes), &$0) }
    }

    /// Where the camera does not have that chunk its chunk data are switched off.
    func setChunk(_ name: String) throws(AravisFailure) { try call { caravis_set_chunk(camera, name, &$0) } }

    func start(buffers: Int) throws(AravisFailure) { try call { caravis_start(camera, UInt32(buffers), &$0) } }

    /// Hands the next frame to `body` and its buffer back to the stream; nil where none came in time.
    func take<Result>(waitUs: Int64, _ body: (AravisFrame) -> Result) -> Result? {
        var frame = CAravisFrame()
        guard caravis_pop(camera, UInt64(max(0, waitUs)), &frame) else { return nil }
        defer { caravis_push(camera, frame.buffer) }
        return body(AravisFrame(frame: frame, camera: camera))
    }

    private func call(_ body: (inout CAravisError) -> Bool) throws(AravisFailure) {
        var error = CAravisError()
        guard body(&error) else { throw AravisFailure(error) }
    }
}

/// One frame while its buffer is taken from the stream.
struct AravisFrame {
    fileprivate let frame: CAravisFrame
    fileprivate let camera: OpaquePointer

    /// ArvBufferStatus.
    var status: Int32 { frame.status }
    /// False where Aravis got a packet that it cannot read: no frame at all.
    var isFrame: Bool { Int(frame.status) != CARAVIS_STATUS_NO_FRAME }
    var isWhole: Bool { Int(frame.status) == CARAVIS_STATUS_SUCCESS }
    /// Nil where the leader packet did not come: 0 is no block id (GigE Vision 1.2, 24.2).
    var blockID: UInt64? { frame.frame_id == 0 ? nil : frame.frame_id }
    /// 0 where the camera has no clock or the leader packet did not come.
    var deviceUs: Int64 { Int64(frame.device_ns / 1_000) }
    /// Nil where the leader packet did not come.
    var hostUs: Int64? { frame.host_ns == 0 ? nil : Int64(frame.host_ns / 1_000) }
    var payloadType: Int32 { frame.payload_type }
    /// By the PFNC.
    var pixelFormat: UInt32 { frame.pixel_format }
    var width: Int { Int(frame.width) }
    var height: Int { Int(frame.height) }
    var rowPadding: Int { Int(frame.row_padding) }
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: frame.data, count: frame.size) }

    func chunk(_ name: String) -> Int64? {
        var value: Int64 = 0
        return caravis_chunk_integer(camera, frame.buffer, name, &value) ? value : nil
    }
}

/// Cameras that Aravis finds on the networks of this host.
enum AravisSearch {
    struct Found {
        let id: String
        let maker: String
        let model: String
        let serial: String
        let address: String
    }

    static func run() throws(AravisFailure) -> [Found] {
        try AravisHandle.load()
        return (0..<caravis_find()).map { index in
            Found(
                id: text(index, "id"),
                maker: text(index, "vendor"),
                model: text(index, "model"),
                serial: text(index, "serial"),
                address: text(index, "address")
            )
        }
    }

    private static func text(_ index: UInt32, _ what: String) -> String {
        var text = [CChar](repeating: 0, count: Int(CARAVIS_TEXT))
        caravis_found(index, what, &text)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
