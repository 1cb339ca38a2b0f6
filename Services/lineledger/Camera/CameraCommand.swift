import ArgumentParser
import Cameras
import Foundation
import ServiceRuntime

/// Cameras as they are, outside of any running plant.
struct CameraCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "camera",
        abstract: "List the cameras of this host and its networks; check one.",
        discussion: "Example: lineledger camera check /dev/video0 --frames 200 --json",
        subcommands: [List.self, Check.self]
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "V4L2 devices of this host and GigE Vision cameras on its networks.",
            discussion: "Example: lineledger camera list"
        )
        @Flag(help: "One JSON object for each camera.") var json = false

        func run() throws {
            let (cameras, troubles) = CameraSearch.run()
            for trouble in troubles { Terminal.complain(trouble) }
            if json {
                for camera in cameras { try Terminal.say(json: camera) }
            } else if cameras.isEmpty {
                Terminal.say("no camera found")
            } else {
                let rows = cameras.map { [$0.address, $0.model, $0.serial, $0.trouble] }
                Terminal.say(Terminal.table([["address", "model", "serial", "trouble"]] + rows))
            }
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take frames from one camera and measure rate, regularity, losses and clocks.",
            discussion: """
                Example: lineledger camera check gige://192.168.1.20 --frames 500
                Example: lineledger camera check --plant deploy/plants/demo.yaml --station vision-1

                Exit codes: 0 all frames came and were sound, 1 some did not, 2 wrong use, 3 the camera could not be
                opened. The camera must not be in use by a running plant.
                """
        )
        @Argument(help: "Camera: \(CameraAddress.forms).") var camera: String?
        @Option(help: "Plant file whose station's camera is checked, with its settings.") var plant: String?
        @Option(help: "Station of the plant file.") var station: String?
        @Option(help: "Frames to take.") var frames = 100
        @Flag(help: "One JSON object.") var json = false

        func validate() throws {
            guard (camera == nil) == (station != nil), (plant == nil) == (station == nil) else {
                throw ValidationError("give a camera, or --plant and --station")
            }
            guard (1...10_000_000).contains(frames) else {
                throw ValidationError("--frames \(frames): expected 1 to 10000000")
            }
        }

        func run() throws {
            let check = CameraCheck(makeCamera(try chosen()), frames: frames)
            var progress = ProgressLine()
            let report: CameraReport
            do {
                report = try check.run { count in
                    if count % 10 == 0 {
                        progress.show(
                            "\(ProgressLine.bar(Double(count) / Double(frames))) \(count) of \(frames) frames"
                        )
                    }
                    return true
                }
            } catch {
                progress.finish()
                Terminal.complain(error.description)
                throw error.kind == .refused ? ExitStatus.wrongUse : ExitStatus.unreachable
            }
            progress.finish()
            if json { try Terminal.say(json: report) } else { Terminal.say(report.text) }
            if !report.isSound { throw ExitStatus.problemFound }
        }

        private func chosen() throws -> PlantFile.Camera {
            if let camera {
                guard let chosen = CameraAddress.camera(at: camera) else {
                    throw ValidationError("\(camera): expected \(CameraAddress.forms)")
                }
                return chosen
            }
            let stations = try PlantFile.loadOrExit(plant ?? "").lines.flatMap(\.stations)
            guard let found = stations.first(where: { $0.id == station }) else {
                let known = stations.map(\.id).joined(separator: ", ")
                throw ValidationError("no station \(station ?? "") in \(plant ?? ""); it has \(known)")
            }
            return found.camera
        }
    }
}

extension CameraReport {
    /// For people.
    fileprivate var text: String {
        func line(_ name: String, _ value: String) -> String {
            "\(name)\(String(repeating: " ", count: max(1, 12 - name.count)))\(value)"
        }
        func number(_ value: Double) -> String { String(format: "%.1f", value) }
        var lines = [
            line("camera", "\(adapter) \(device)\(model.isEmpty ? "" : ", \(model)")"),
            line("picture", "\(width)x\(height), \(format), trigger \(trigger)"),
        ]
        if !firmware.isEmpty { lines.append(line("firmware", firmware)) }
        for setting in settings { lines.append(line("setting", "\(setting.name) \(setting.value) \(setting.unit)")) }
        for remark in remarks { lines.append(line("remark", remark)) }
        lines.append(line("frames", "\(frames) in \(number(seconds)) s, \(number(frames_per_second)) a second"))
        lines.append(
            line(
                "interval",
                "\(number(interval_us / 1_000)) ms, standard deviation \(number(jitter_us / 1_000)) ms, longest "
                    + "\(number(Double(longest_interval_us) / 1_000)) ms"
            )
        )
        lines.append(line("processor", "\(number(cpu_us_per_frame)) us a frame"))
        lines.append(
            line("faults", "\(skipped) skipped, \(damaged) damaged, \(repeated) repeated, camera lost \(losses) times")
        )
        if missing_packets + resent_packets > 0 {
            lines.append(line("packets", "\(missing_packets) missing, \(resent_packets) asked for again"))
        }
        if let clock = device_clock {
            let skew = "\(clock.skew_us) us (95 %: +-\(clock.uncertainty_us)), drift \(number(clock.drift_ppm)) ppm"
            lines.append(line("clock", "device minus host \(skew)"))
        } else {
            let short = "compared after some five seconds of frames"
            lines.append(line("clock", has_device_clock ? short : "the device has none"))
        }
        for reason in reasons { lines.append(line("reason", reason)) }
        return lines.joined(separator: "\n")
    }
}
