import CV4L
import Glibc
import ServiceRuntime

/// The controls of a V4L2 device: set as the plant file says, then read back.
struct V4LControls {
    struct Control {
        let id: Int32
        let name: String
        let minimum: Int32
        let maximum: Int32
        let isReadable: Bool
    }

    /// Most controls listed of one device.
    static let limit = 128

    let file: Int32
    let system: any V4LSystem
    private let controls: [Control]
    private(set) var remarks: [String] = []

    init(_ file: Int32, _ system: any V4LSystem) throws(SystemError) {
        self.file = file
        self.system = system
        controls = try Self.list(file, system)
    }

    /// Walks the device's list with V4L2_CTRL_FLAG_NEXT_CTRL until the driver says EINVAL; drivers without controls say
    /// ENOTTY.
    private static func list(_ file: Int32, _ system: any V4LSystem) throws(SystemError) -> [Control] {
        var found: [Control] = []
        var query = v4l2_queryctrl()
        while found.count < limit {
            query.id |= UInt32(V4L2_CTRL_FLAG_NEXT_CTRL)
            do {
                try system.request(file, UInt(cv4l_queryctrl), &query)
            } catch {
                guard error.code == EINVAL || error.code == ENOTTY else { throw error }
                return found
            }
            let isValue = [V4L2_CTRL_TYPE_INTEGER, V4L2_CTRL_TYPE_BOOLEAN, V4L2_CTRL_TYPE_MENU]
                .contains { $0.rawValue == query.type }
            guard isValue, query.flags & UInt32(V4L2_CTRL_FLAG_DISABLED) == 0 else { continue }
            found.append(
                Control(
                    id: Int32(bitPattern: query.id),
                    name: plainName(
                        withUnsafeBytes(of: query.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
                    ),
                    minimum: query.minimum,
                    maximum: query.maximum,
                    isReadable: query.flags & UInt32(V4L2_CTRL_FLAG_WRITE_ONLY) == 0
                )
            )
        }
        return found
    }

    /// The name as `v4l2-ctl` shows it: "White Balance Temperature" becomes white_balance_temperature.
    private static func plainName(_ name: String) -> String {
        name.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: "_")
    }

    /// What was asked for by the plant file, automatic controls first: they lock the others.
    /// - Throws: what cannot be set on this device at all.
    mutating func apply(_ settings: PlantFile.V4L2) throws(CameraError) {
        if let exposure = settings.exposureUs {
            try set(
                "exposure_us",
                V4L2_CID_EXPOSURE_ABSOLUTE,
                exposure / 100,
                settings,
                manual: [
                    (V4L2_CID_EXPOSURE_AUTO, Int(V4L2_EXPOSURE_MANUAL.rawValue))
                ]
            )
        }
        if let gain = settings.gain {
            try set("gain", V4L2_CID_GAIN, gain, settings, manual: [(V4L2_CID_AUTOGAIN, 0)])
        }
        if let kelvin = settings.whiteBalanceK {
            let automatic = [(V4L2_CID_AUTO_WHITE_BALANCE, 0)]
            try set("white_balance_k", V4L2_CID_WHITE_BALANCE_TEMPERATURE, kelvin, settings, manual: automatic)
        }
        let ordered = settings.controls.sorted {
            ($0.key.contains("auto") ? 0 : 1, $0.key) < ($1.key.contains("auto") ? 0 : 1, $1.key)
        }
        for (name, value) in ordered {
            guard let control = controls.first(where: { $0.name == name }) else {
                throw CameraError(
                    .refused,
                    device: settings.device,
                    reason: "no control \(name)",
                    advice: "it has \(controls.map(\.name).joined(separator: ", ")); see v4l2-ctl --list-ctrls"
                )
            }
            set(control, value, name)
        }
    }

    private mutating func set(
        _ key: String,
        _ id: Int32,
        _ value: Int,
        _ settings: PlantFile.V4L2,
        manual: [(Int32, Int)]
    ) throws(CameraError) {
        guard let control = controls.first(where: { $0.id == id }) else {
            throw CameraError(
                .refused,
                device: settings.device,
                reason: "\(key) cannot be set on it",
                advice: "leave \(key) away, or use controls: with the names of v4l2-ctl --list-ctrls"
            )
        }
        for (id, value) in manual {
            if let switched = controls.first(where: { $0.id == id }) { set(switched, value, switched.name) }
        }
        set(control, value, key)
    }

    /// Sets within the device's limits and reads back; what was not granted becomes a remark.
    private mutating func set(_ control: Control, _ value: Int, _ key: String) {
        let range = "the device takes \(control.minimum) to \(control.maximum)"
        let granted = min(max(value, Int(control.minimum)), Int(control.maximum))
        if granted != value { remarks.append("\(key): \(value) asked for; \(range); \(granted) set") }
        var message = v4l2_control(id: UInt32(bitPattern: control.id), value: Int32(clamping: granted))
        do throws(SystemError) {
            try system.request(file, UInt(cv4l_s_ctrl), &message)
            try system.request(file, UInt(cv4l_g_ctrl), &message)
            if Int(message.value) != granted {
                remarks.append("\(key): \(granted) set, the device says \(message.value)")
            }
        } catch {
            let advice = error.code == EBUSY ? "another control locks it, often an automatic one" : range
            remarks.append("\(key): \(granted) not taken: \(error.text); \(advice)")
        }
    }

    /// Every control that the device tells, in Recommendation 20's units where V4L2 fixes one.
    func settings() -> [CameraSetting] {
        controls.filter(\.isReadable).compactMap { control -> CameraSetting? in
            var message = v4l2_control(id: UInt32(bitPattern: control.id), value: 0)
            do throws(SystemError) {
                try system.request(file, UInt(cv4l_g_ctrl), &message)
            } catch {
                // A control that cannot be read now (locked, device busy) says nothing about the settings.
                return nil
            }
            let value = Double(message.value)
            switch control.id {
            case V4L2_CID_EXPOSURE_ABSOLUTE: return CameraSetting("exposure", value * 100, "B98")
            case V4L2_CID_WHITE_BALANCE_TEMPERATURE: return CameraSetting(control.name, value, "KEL")
            default: return CameraSetting(control.name, value, "C62")
            }
        }
    }
}
