import CV4L
import Cameras
import Glibc
import Synchronization

/// A clock that moves only when a test or the simulated device moves it.
final class SteppedClock: Sendable {
    private let us = Mutex<Int64>(1_000_000)

    var now: Int64 { us.withLock { $0 } }

    func step(_ more: Int64) { us.withLock { $0 += max(0, more) } }

    /// Microseconds since 1970 run `epoch` ahead of the monotonic ones.
    static let epoch: Int64 = 1_700_000_000_000_000

    var camera: CameraClock {
        CameraClock(
            nowUs: { self.now + Self.epoch },
            monotonicUs: { self.now },
            pause: { self.step($0) }
        )
    }
}

/// A SIMULATED V4L2 device: it stands in for the kernel and a camera, and misbehaves on demand. It streams a frame each
/// `periodUs` of its clock; its pixels are the frame's sequence number, byte for byte.
///
/// `@unchecked Sendable`: each test has its own and uses it from one thread, as `Camera` demands.
final class SimulatedV4L: V4LSystem, @unchecked Sendable {
    enum Fault {
        /// Frames lost in the camera or on the bus: the sequence goes on without them.
        case drop(UInt32)
        /// V4L2_BUF_FLAG_ERROR.
        case damaged
        /// Fewer bytes than the format needs.
        case short
        /// VIDIOC_DQBUF fails with this errno.
        case dequeue(Int32)
        /// The same sequence number twice.
        case repeated
        /// Another size, without an event.
        case format(width: UInt32, height: UInt32)
        /// V4L2_EVENT_SOURCE_CHANGE.
        case sourceChange
        /// No frame any more, and no error either.
        case freeze
        case unplug
    }

    struct Control {
        var id: UInt32
        var name: String
        var range: ClosedRange<Int32>
        var value: Int32
        /// What VIDIOC_S_CTRL answers.
        var error: Int32 = 0
    }

    struct State {
        var faults: [Fault] = []
        var isPresent = true
        var openError: Int32 = 0
        var streamError: Int32 = 0
        var capabilities = UInt32(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING)
        var formats: [String] = ["YUYV", "GREY"]
        var width: UInt32 = 64
        var height: UInt32 = 48
        var fourcc: UInt32 = 0
        var controls: [Control] = []
        var sequence: UInt32 = 0
        var isFrozen = false
        var isStreaming = false
        var queued: [UInt32] = []
        var memory: [UnsafeMutableRawBufferPointer] = []
        var due: Int64 = 0
        var hasEvent = false
        var fill: (@Sendable (UnsafeMutableRawBufferPointer, UInt32) -> Int)?
        var openFiles = 0
        var mapped = 0
    }

    let clock: SteppedClock
    let periodUs: Int64
    private var state = State()

    init(_ clock: SteppedClock, periodUs: Int64 = 40_000) {
        self.clock = clock
        self.periodUs = periodUs
        state.fourcc = Self.code("GREY")
    }

    deinit { for memory in state.memory { memory.deallocate() } }

    func change(_ body: (inout State) -> Void) { body(&state) }

    static func code(_ text: String) -> UInt32 {
        let bytes = Array(text.utf8)
        return (0..<4).reduce(0) { $0 | UInt32($1 < bytes.count ? bytes[$1] : 32) << (8 * UInt32($1)) }
    }

    func open(_ path: String) throws(SystemError) -> Int32 {
        guard state.isPresent else { throw SystemError(ENOENT) }
        guard state.openError == 0 else { throw SystemError(state.openError) }
        state.openFiles += 1
        return 7
    }

    func close(_ file: Int32) {
        state.openFiles -= 1
        state.isStreaming = false
    }

    func request(_ file: Int32, _ request: UInt, _ argument: UnsafeMutableRawPointer) throws(SystemError) {
        let error = state.isPresent ? answer(&state, request, argument) : ENODEV
        if error != 0 { throw SystemError(error) }
    }

    func map(_ file: Int32, length: Int, offset: UInt32) throws(SystemError) -> UnsafeMutableRawBufferPointer {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 16)
        state.memory.append(memory)
        state.mapped += 1
        return memory
    }

    func unmap(_ memory: UnsafeMutableRawBufferPointer) { state.mapped -= 1 }

    func poll(_ file: Int32, waitUs: Int64) throws(SystemError) -> Int16 {
        guard state.isPresent else { return Int16(POLLERR) }
        if state.hasEvent { return Int16(POLLPRI) }
        guard !state.isFrozen, state.due <= clock.now + waitUs else {
            clock.step(waitUs)
            return 0
        }
        clock.step(state.due - clock.now)
        return arrive(&state)
    }

    func users(of path: String) -> [String] { ["cheese (process 4711)"] }

    func serial(of path: String) -> String { "" }

    /// The next frame, or the fault in its place.
    private func arrive(_ state: inout State) -> Int16 {
        switch state.faults.first {
        case .drop(let count):
            state.faults.removeFirst()
            state.sequence += count
        case .sourceChange:
            state.faults.removeFirst()
            state.hasEvent = true
            return Int16(POLLPRI)
        case .format(let width, let height):
            state.faults.removeFirst()
            (state.width, state.height) = (width, height)
        case .freeze:
            state.faults.removeFirst()
            state.isFrozen = true
            return 0
        case .unplug:
            state.faults.removeFirst()
            state.isPresent = false
            return Int16(POLLERR)
        default: break
        }
        return Int16(POLLIN)
    }

    private func answer(_ state: inout State, _ request: UInt, _ argument: UnsafeMutableRawPointer) -> Int32 {
        switch request {
        case UInt(cv4l_querycap):
            argument.assumingMemoryBound(to: v4l2_capability.self).pointee.capabilities = state.capabilities
        case UInt(cv4l_enum_fmt):
            let entry = argument.assumingMemoryBound(to: v4l2_fmtdesc.self)
            guard Int(entry.pointee.index) < state.formats.count else { return EINVAL }
            entry.pointee.pixelformat = Self.code(state.formats[Int(entry.pointee.index)])
        case UInt(cv4l_s_fmt): return setFormat(&state, argument.assumingMemoryBound(to: v4l2_format.self))
        case UInt(cv4l_g_fmt): describeFormat(state, argument.assumingMemoryBound(to: v4l2_format.self))
        case UInt(cv4l_g_parm), UInt(cv4l_s_parm):
            argument.assumingMemoryBound(to: v4l2_streamparm.self).pointee.parm.capture.timeperframe = v4l2_fract(
                numerator: UInt32(periodUs),
                denominator: 1_000_000
            )
        case UInt(cv4l_queryctrl), UInt(cv4l_g_ctrl), UInt(cv4l_s_ctrl): return control(&state, request, argument)
        case UInt(cv4l_reqbufs): break
        case UInt(cv4l_querybuf):
            argument.assumingMemoryBound(to: v4l2_buffer.self).pointee.length = UInt32(size(state))
        case UInt(cv4l_qbuf): state.queued.append(argument.assumingMemoryBound(to: v4l2_buffer.self).pointee.index)
        case UInt(cv4l_dqbuf): return dequeue(&state, argument.assumingMemoryBound(to: v4l2_buffer.self))
        case UInt(cv4l_streamon):
            guard state.streamError == 0 else { return state.streamError }
            state.isStreaming = true
            state.isFrozen = false
            state.sequence = 0
            state.due = clock.now + periodUs
        case UInt(cv4l_streamoff):
            state.queued = []
            state.isStreaming = false
        case UInt(cv4l_subscribe_event): break
        case UInt(cv4l_dqevent):
            argument.assumingMemoryBound(to: v4l2_event.self).pointee.type = UInt32(V4L2_EVENT_SOURCE_CHANGE)
            state.hasEvent = false
        default: return ENOTTY
        }
        return 0
    }

    private func size(_ state: State) -> Int {
        stride(state) * Int(state.height) * (state.fourcc == Self.code("YU12") ? 3 : 2) / 2
    }

    private func stride(_ state: State) -> Int {
        switch state.fourcc {
        case Self.code("GREY"), Self.code("BA81"), Self.code("RGGB"), Self.code("GRBG"), Self.code("GBRG"),
            Self.code("YU12"):
            Int(state.width)
        case Self.code("RGB3"), Self.code("BGR3"): Int(3 * state.width)
        default: Int(2 * state.width)
        }
    }

    private func setFormat(_ state: inout State, _ format: UnsafeMutablePointer<v4l2_format>) -> Int32 {
        guard state.openError != EBUSY else { return EBUSY }
        if state.formats.contains(where: { Self.code($0) == format.pointee.fmt.pix.pixelformat }) {
            state.fourcc = format.pointee.fmt.pix.pixelformat
        }
        state.width = min(1_920, format.pointee.fmt.pix.width)
        state.height = min(1_080, format.pointee.fmt.pix.height)
        describeFormat(state, format)
        return 0
    }

    private func describeFormat(_ state: State, _ format: UnsafeMutablePointer<v4l2_format>) {
        format.pointee.fmt.pix.width = state.width
        format.pointee.fmt.pix.height = state.height
        format.pointee.fmt.pix.pixelformat = state.fourcc
        format.pointee.fmt.pix.bytesperline = UInt32(stride(state))
        format.pointee.fmt.pix.sizeimage = UInt32(size(state))
    }

    private func control(_ state: inout State, _ request: UInt, _ argument: UnsafeMutableRawPointer) -> Int32 {
        if request == UInt(cv4l_queryctrl) {
            let query = argument.assumingMemoryBound(to: v4l2_queryctrl.self)
            let after = query.pointee.id & ~UInt32(V4L2_CTRL_FLAG_NEXT_CTRL)
            guard let next = state.controls.filter({ $0.id > after }).min(by: { $0.id < $1.id }) else { return EINVAL }
            query.pointee = v4l2_queryctrl()
            query.pointee.id = next.id
            query.pointee.type = V4L2_CTRL_TYPE_INTEGER.rawValue
            query.pointee.minimum = next.range.lowerBound
            query.pointee.maximum = next.range.upperBound
            withUnsafeMutableBytes(of: &query.pointee.name) { $0.copyBytes(from: Array(next.name.utf8)) }
            return 0
        }
        let message = argument.assumingMemoryBound(to: v4l2_control.self)
        guard let at = state.controls.firstIndex(where: { $0.id == message.pointee.id }) else { return EINVAL }
        if request == UInt(cv4l_s_ctrl) {
            guard state.controls[at].error == 0 else { return state.controls[at].error }
            state.controls[at].value = message.pointee.value
        }
        message.pointee.value = state.controls[at].value
        return 0
    }

    private func dequeue(_ state: inout State, _ buffer: UnsafeMutablePointer<v4l2_buffer>) -> Int32 {
        guard !state.queued.isEmpty else { return EAGAIN }
        let fault = state.faults.first
        if case .dequeue(let error) = fault {
            state.faults.removeFirst()
            return error
        }
        let index = state.queued.removeFirst()
        let memory = state.memory[state.memory.count - state.mapped + Int(index)]
        let filled = state.fill.map { $0(memory, state.sequence) }
        if filled == nil {
            memory.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: state.sequence))
        }
        buffer.pointee.index = index
        buffer.pointee.bytesused = UInt32(filled ?? size(state))
        buffer.pointee.sequence = state.sequence
        buffer.pointee.flags = UInt32(V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC)
        // Exposed 3 ms before it was there.
        let stampUs = state.due - 3_000
        buffer.pointee.timestamp = timeval(tv_sec: Int(stampUs / 1_000_000), tv_usec: Int(stampUs % 1_000_000))
        state.due += periodUs
        switch fault {
        case .damaged: buffer.pointee.flags |= UInt32(V4L2_BUF_FLAG_ERROR)
        case .short: buffer.pointee.bytesused /= 2
        case .repeated:
            state.faults.removeFirst()
            return 0
        default:
            state.sequence += 1
            return 0
        }
        state.faults.removeFirst()
        state.sequence += 1
        return 0
    }
}
