import CV4L
import Glibc

/// A camera that is there.
package struct FoundCamera: Encodable, Equatable, Sendable {
    /// As `lineledger camera check` takes it.
    package let address: String
    package let model: String
    package let serial: String
    /// What keeps it from being used; empty where nothing does.
    package let trouble: String
}

/// Looks for cameras at this host and on its networks.
package enum CameraSearch {
    /// V4L2 device files, then GigE Vision cameras. What could not be looked for is told in `troubles`.
    package static func run() -> (cameras: [FoundCamera], troubles: [String]) {
        var cameras = (0..<64).map { "/dev/video\($0)" }.filter { access($0, F_OK) == 0 }.map(video)
        do throws(AravisFailure) {
            cameras += try AravisSearch.run().map {
                FoundCamera(
                    address: "gige://\($0.address)",
                    model: "\($0.maker) \($0.model)",
                    serial: $0.serial,
                    trouble: ""
                )
            }
        } catch {
            return (cameras, ["GigE Vision cameras need Aravis (\(error.text)); apt-get install libaravis-0.8-0"])
        }
        return (cameras, [])
    }

    private static func video(_ path: String) -> FoundCamera {
        let system = KernelV4L()
        func found(_ model: String, _ trouble: String) -> FoundCamera {
            FoundCamera(address: path, model: model, serial: system.serial(of: path), trouble: trouble)
        }
        do throws(SystemError) {
            let file = try system.open(path)
            defer { system.close(file) }
            var about = v4l2_capability()
            try system.request(file, UInt(cv4l_querycap), &about)
            let able = about.capabilities & UInt32(V4L2_CAP_DEVICE_CAPS) != 0 ? about.device_caps : about.capabilities
            let model = withUnsafeBytes(of: about.card) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            return found(
                model,
                able & UInt32(V4L2_CAP_VIDEO_CAPTURE) == 0 ? "gives no pictures (metadata or output)" : ""
            )
        } catch {
            return found("", error.code == EACCES ? "no permission: the user must be in the group video" : error.text)
        }
    }
}
