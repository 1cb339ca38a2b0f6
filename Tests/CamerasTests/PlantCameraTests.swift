import ServiceRuntime
import Testing

@Suite("Cameras in plant files")
struct PlantCameraTests {
    private func plant(_ camera: String) -> [UInt8] {
        Array(
            """
            enterprise: acme
            site: berlin
            area: assembly
            log: "memory:"
            state: state
            lines:
              - id: line-1
                stations:
                  - id: vision-1
                    recipe: a.yaml
                    camera: \(camera)

            """.utf8
        )
    }

    private func mistakes(_ camera: String) -> String {
        do {
            _ = try PlantFile.parse(plant(camera), path: "/p/p.yaml", environment: [:])
            return ""
        } catch {
            return error.mistakes.map(\.description).joined(separator: "\n")
        }
    }

    @Test(
        "every camera is read, and written so that it is read the same",
        arguments: [
            "{kind: clip, path: a.mp4, loop: true}",
            "{kind: v4l2, device: /dev/video0}",
            "{kind: v4l2, device: /dev/video0, width: 640, height: 480, format: 'Y10 ', frame_rate: 29.97, "
                + "exposure_us: 2000, gain: 3, white_balance_k: 4000, trigger: hardware, controls: {sharpness: -2}}",
            "{kind: gige, address: 10.0.0.2}",
            "{kind: gige, address: Maker-4711, width: 640, height: 480, offset_x: 8, offset_y: 16, format: BayerRG8, "
                + "frame_rate: 10, exposure_us: 12.5, gain: 1.5, features: {LineDebouncerTime: 10, UserSet: Default}, "
                + "trigger: software, trigger_source: Line2, packet_size: 8192, buffers: 4}",
        ]
    )
    func roundTrip(camera: String) throws {
        let read = try PlantFile.parse(plant(camera), path: "/p/p.yaml", environment: [:])
        let again = try PlantFile.parse(Array(read.yaml().utf8), path: "/elsewhere/q.yaml", environment: [:])
        #expect(read == again)
    }

    @Test(
        "a mistake names key, value and what is expected",
        arguments: [
            ("{kind: v4l2}", "camera.device: found nothing"),
            (
                "{kind: v4l2, device: /dev/video0, width: -3}",
                "camera.width: found \"-3\"; expected pixels: a whole number"
            ),
            ("{kind: v4l2, device: /dev/video0, trigger: on}", "found \"on\"; expected free or software or hardware"),
            ("{kind: v4l2, device: /dev/video0, format: MONOCHROME}", "four-character code of V4L2 such as GREY"),
            ("{kind: v4l2, device: /dev/video0, formt: GREY}", "did you mean format?"),
            ("{kind: v4l2, device: /dev/video0, controls: {a b: 1}}", "camera.controls.a b: found a name"),
            ("{kind: v4l2, device: /dev/video0, controls: {gain: x}}", "camera.controls.gain: found \"x\""),
            ("{kind: gige, address: 'a b'}", "camera.address: found \"a b\"; expected an IP address"),
            ("{kind: gige, address: h, packet_size: 1}", "camera.packet_size: found \"1\""),
            ("{kind: gige, address: h, features: [1]}", "camera.features: found a list of 1"),
            ("{kind: scene, size: 64}", "a whole number from 160 to 8192"),
            ("{kind: eye}", "expected folder or scene or clip or v4l2 or gige"),
        ]
    )
    func mistake(camera: String, part: String) {
        #expect(mistakes(camera).contains(part), "\(mistakes(camera))")
    }
}
