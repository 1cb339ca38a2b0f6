import Cameras
import Foundation
import Glibc
import Synchronization

/// A SIMULATED GigE Vision camera at 127.0.0.1, driven step by step: it sends a frame when a test signals its trigger
/// line or Aravis fires its software trigger, and misbehaves as that frame's faults say. Nothing happens by time.
final class SimulatedGigE: Sendable {
    typealias Place = SimulatedGigERegisters.Place

    /// What goes wrong with one frame.
    enum Fault {
        /// The trigger is counted, and no frame made: the camera was not ready yet.
        case missed
        /// Not one packet arrives, and none is kept for another try.
        case lost
        /// These packets do not arrive; asked for again they do.
        case drop([Int])
        /// These packets do not arrive, asked for again or not.
        case dropForGood([Int])
        case noChunk
        /// The frame counter begins again with this number.
        case counter(UInt64)
        /// The block ids go on with this one.
        case block(UInt64)
        /// So many bytes of payload, whatever was announced.
        case payload(Int)
        case payloadType(UInt16)
    }

    struct State {
        var registers: SimulatedGigERegisters
        /// False: cable out.
        var isThere = true
        var isAcquiring = false
        /// Another program is in control.
        var isTaken = false
        /// The camera's own counter, as its chunk tells it, and the block id of the last frame.
        var counter: UInt64 = 0
        var block: UInt64 = 0
        var ticks: UInt64 = 0
        var enabledChunks: Set<UInt32> = []
        /// Frames kept for resending, by block id: packets by number, nil where one is gone for good.
        var kept: [UInt64: (frame: SimulatedGigEFrame, packets: [[UInt8]?])] = [:]
        /// GVCP status with which accesses to a register are refused.
        var refused: [Int: UInt16] = [:]
        /// Accesses to a register that get no answer any more; so many, then as ever.
        var unanswered: [Int: Int] = [:]
        /// Accesses to a register that get a PENDING_ACK before the answer.
        var pending: Set<Int> = []
        var resendRequests = 0
    }

    private let control: Int32
    private let stream: Int32
    private let stop: (read: Int32, write: Int32)
    private let ended = DispatchSemaphore(value: 0)
    private let state: Mutex<State>

    /// Nil, with a printed message, where another camera has the port.
    static func start(_ ability: SimulatedGigERegisters.Ability = .init()) throws -> SimulatedGigE? {
        guard let control = try UDP.socket(port: GigEProbe.port) else {
            print("skipped: another camera has 127.0.0.1, UDP port \(GigEProbe.port)")
            return nil
        }
        return try SimulatedGigE(ability, control)
    }

    private init(_ ability: SimulatedGigERegisters.Ability, _ control: Int32) throws {
        var pipe: [Int32] = [0, 0]
        guard let stream = try UDP.socket(port: 0), Glibc.pipe(&pipe) == 0 else { throw UDP.Refused(code: errno) }
        (self.control, self.stream, stop) = (control, stream, (pipe[0], pipe[1]))
        var registers = SimulatedGigERegisters(ability)
        registers[Place.streamSource] = UInt32(UDP.port(of: stream))
        state = Mutex(State(registers: registers))
        Thread.detachNewThread { [self] in serve() }
    }

    /// Ends it and frees the port.
    func end() {
        close(stop.write)
        ended.wait()
        for file in [stop.read, control, stream] { close(file) }
    }

    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    func seen<Value: Sendable>(_ body: (State) -> Value) -> Value { state.withLock { body($0) } }

    func register(_ place: Int) -> UInt32 { state.withLock { $0.registers[place] } }

    /// Cable out: nothing comes in or goes out any more.
    func unplug() { change { $0.isThere = false } }

    /// Cable in. `restarted`: its power was gone too, so it has forgotten everything and counts anew.
    func plugIn(restarted: Bool) {
        change { state in
            if restarted {
                let source = state.registers[Place.streamSource]
                state = State(registers: SimulatedGigERegisters(state.registers.ability))
                state.registers[Place.streamSource] = source
            }
            state.isThere = true
        }
    }

    /// An edge at the trigger line, or, without trigger mode, the time for the next frame.
    func signal(_ faults: [Fault] = []) { state.withLock { expose(&$0, faults) } }

    private func expose(_ state: inout State, _ faults: [Fault]) {
        guard state.isAcquiring else { return }
        state.counter += 1
        state.ticks += 1_000_000
        for case .counter(let number) in faults { state.counter = number }
        for case .missed in faults { return }
        state.block = state.block == 65_535 && state.registers[Place.extendedIDs] == 0 ? 1 : state.block + 1
        for case .block(let number) in faults { state.block = number }
        let frame = frame(state, faults)
        let packets = frame.packets(packetSize: Int(state.registers[Place.packetSize] & 0xFFFF))
        var (sent, kept) = (packets.map(Optional.init), packets.map(Optional.init))
        for fault in faults {
            switch fault {
            case .lost:
                sent = packets.map { _ in nil }
                kept = sent
            case .drop(let numbers): for number in numbers { sent[number] = nil }
            case .dropForGood(let numbers):
                for number in numbers {
                    sent[number] = nil
                    kept[number] = nil
                }
            case .missed, .noChunk, .counter, .block, .payload, .payloadType: break
            }
        }
        state.kept[state.block] = (frame, kept)
        for packet in sent { packet.map { send(state, $0) } }
    }

    private func frame(_ state: State, _ faults: [Fault]) -> SimulatedGigEFrame {
        let (width, height) = (state.registers[Place.width], state.registers[Place.height])
        let image = [UInt8](repeating: UInt8(truncatingIfNeeded: state.counter), count: Int(width * height))
        var hasChunk = state.sendsCounter
        for case .noChunk in faults { hasChunk = false }
        var frame = SimulatedGigEFrame(
            block: state.block,
            extendedIDs: state.registers[Place.extendedIDs] == 1,
            width: width,
            height: height,
            ticks: state.ticks,
            payload: SimulatedGigEFrame.payload(image: image, counter: hasChunk ? state.counter : nil)
        )
        if hasChunk { frame.payloadType |= SimulatedGigEFrame.withChunks }
        for fault in faults {
            switch fault {
            case .payload(let count): frame.payload = [UInt8](repeating: 1, count: count)
            case .payloadType(let type): frame.payloadType = type
            default: break
            }
        }
        return frame
    }

    private func send(_ state: State, _ packet: [UInt8]) {
        let port = UInt16(truncatingIfNeeded: state.registers[Place.streamPort])
        guard state.isThere, port != 0, packet.count + 28 <= state.registers.ability.mtu else { return }
        UDP.send(stream, packet, to: UDP.address(state.registers[Place.streamAddress], port))
    }

    // MARK: GVCP

    private func serve() {
        var bytes = [UInt8](repeating: 0, count: 1_024)
        var files = [stop.read, control].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while true {
            guard poll(&files, 2, -1) > 0 else { continue }
            if files[0].revents != 0 { break }
            guard let (count, from) = UDP.receive(control, &bytes), count >= 8, bytes[0] == 0x42 else { continue }
            state.withLock { state in
                guard state.isThere else { return }
                for answer in self.answers(&state, Array(bytes[..<count])) { UDP.send(control, answer, to: from) }
                // The frame of a software trigger comes after the answer to it.
                if state.registers[Place.triggerSoftware] == 1 {
                    state.registers[Place.triggerSoftware] = 0
                    expose(&state, [])
                }
            }
        }
        ended.signal()
    }

    private func answers(_ state: inout State, _ command: [UInt8]) -> [[UInt8]] {
        let code = Int(command.number(2, 2))
        let id = Array(command[6..<8])
        let payload = Array(command[8...])
        func answer(_ status: UInt16, _ bytes: [UInt8]) -> [UInt8] {
            status.bigEndianBytes(2) + (code + 1).bigEndianBytes(2) + bytes.count.bigEndianBytes(2) + id + bytes
        }
        guard code != 0x0040 else {
            resend(&state, payload)
            return []
        }
        guard code != 0x0002 else { return [answer(0, Array(state.registers.bytes(0, 248) ?? []))] }
        guard [0x0080, 0x0082, 0x0084, 0x0086].contains(code), payload.count >= 4 else { return [answer(0x8001, [])] }
        let place = Int(payload.number(0, 4))
        if let left = state.unanswered[place], left > 0 {
            state.unanswered[place] = left - 1
            return []
        }
        var answers: [[UInt8]] = []
        if state.pending.contains(place) {
            answers.append(
                0.bigEndianBytes(2) + 0x0089.bigEndianBytes(2) + 4.bigEndianBytes(2) + id + 1_000.bigEndianBytes(4)
            )
        }
        let isWrite = code == 0x0082 || code == 0x0086
        if let status = state.refused[place] {
            answers.append(answer(status, []))
        } else if isWrite {
            let isFree = !state.isTaken
            if isFree { state.write(place, payload.number(4, 4)) }
            if place == Place.packetSize { fireTestPacket(&state) }
            answers.append(answer(isFree ? 0 : 0x8006, [0, 0, 0, 1]))
        } else {
            let count = code == 0x0080 ? 4 : Int(payload.number(6, 2))
            let head = code == 0x0080 ? [] : Array(payload[0..<4])
            state.refresh()
            guard let bytes = state.registers.bytes(place, count) else { return [answer(0x8003, [])] }
            answers.append(answer(0, head + bytes))
        }
        return answers
    }

    /// A packet of the size set, where bit 31 of that register asks for one.
    private func fireTestPacket(_ state: inout State) {
        guard state.registers[Place.packetSize] >> 31 == 1 else { return }
        state.registers[Place.packetSize] &= 0x7FFF_FFFF
        send(state, [UInt8](repeating: 0, count: Int(state.registers[Place.packetSize] & 0xFFFF) - 28))
    }

    private func resend(_ state: inout State, _ request: [UInt8]) {
        state.resendRequests += 1
        let isExtended = request.count >= 20
        let block = isExtended ? request.number(12, 8) : request.number(0, 4) & 0xFFFF
        guard let (frame, packets) = state.kept[block] else { return }
        let (first, last) = (Int(request.number(4, 4) & 0xFF_FFFF), Int(request.number(8, 4) & 0xFF_FFFF))
        for number in first...max(first, last) {
            let packet = number < packets.count ? packets[number] : nil
            send(state, packet ?? frame.unavailable(number))
        }
    }
}

extension SimulatedGigE.State {
    private typealias Place = SimulatedGigERegisters.Place

    var sendsCounter: Bool {
        registers[Place.chunkModeActive] == 1 && registers.ability.counter != nil
            && enabledChunks.contains(SimulatedGigERegisters.counterChunk)
    }

    /// Sets the registers that follow from others.
    fileprivate mutating func refresh() {
        registers[Place.payloadSize] =
            registers[Place.width] * registers[Place.height] + (sendsCounter ? 24 : 0)
        registers[Place.chunkEnable] = enabledChunks.contains(registers[Place.chunkSelector]) ? 1 : 0
    }

    fileprivate mutating func write(_ place: Int, _ value: UInt64) {
        let value = UInt32(truncatingIfNeeded: value)
        switch place {
        case Place.chunkEnable where value == 1: enabledChunks.insert(registers[Place.chunkSelector])
        case Place.chunkEnable: enabledChunks.remove(registers[Place.chunkSelector])
        case Place.acquisitionStart: isAcquiring = true
        case Place.acquisitionStop: isAcquiring = false
        case Place.exposure: registers[place] = min(value, registers.ability.mostExposureUs)
        case Place.triggerSoftware:
            let isArmed = registers[Place.triggerMode] == 1 && registers[Place.triggerSource] == 0
            registers[place] = isArmed ? value : 0
        default: registers[place] = value
        }
    }
}

extension [UInt8] {
    /// The big-endian number of `count` bytes.
    fileprivate func number(_ from: Int, _ count: Int) -> UInt64 {
        self[from..<Swift.min(from + count, self.count)].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
