import Foundation
import Vision

/// The steps that deploy/bench/vision.py does too, by the same names.
struct VisionBenchSteps {
    struct Step {
        let name: String
        /// Returns what was found, in words.
        let work: () throws -> String
    }

    private static let threshold: UInt8 = 40

    let all: [Step]

    init(_ input: VisionBenchInput, folder: String) throws {
        all =
            Self.pixels(input) + (try Self.tools(input)) + (try Self.inspection(input, folder)) + [
                Step(name: "SHA-256") { input.part.sha256 }
            ] + (try Self.codes(folder))
    }

    private static func pixels(_ input: VisionBenchInput) -> [Step] {
        let pool = ScratchPool()
        let (width, height) = (input.part.width, input.part.height)
        let warp = PoseWarp(
            Pose(dx: 0, dy: 0, angle: 3.7, scale: 1.01),
            centreX: Double(width) / 2,
            centreY: Double(height) / 2
        )
        let whole = Box(x: 0, y: 0, width: width, height: height)
        return [
            Step(name: "decode PNG") { "\(try PictureCodec.decode(input.png, name: "part.png").pixels.count)" },
            Step(name: "decode JPEG") { "\(try PictureCodec.decode(input.jpeg, name: "part.jpg").pixels.count)" },
            Step(name: "grey") { "\(input.colour.grey().pixels.count)" },
            Step(name: "halve") {
                pool.lend { scratch in
                    let half = scratch.plane(UInt8.self, width / 2, height / 2)
                    input.part.withPlane { PixelLoops.halve($0, into: half) }
                    return "\(half.width * half.height)"
                }
            },
            Step(name: "smooth") {
                pool.lend { scratch in
                    let out = scratch.plane(UInt8.self, width, height)
                    input.part.withPlane {
                        PixelLoops.smooth($0, into: out, rows: scratch.take(UInt16.self, width))
                    }
                    return "\(out.width * out.height)"
                }
            },
            Step(name: "gradient") {
                pool.lend { scratch in
                    let (right, down) = (
                        scratch.plane(Int16.self, width, height), scratch.plane(Int16.self, width, height)
                    )
                    input.part.withPlane { PixelLoops.sobel($0, gx: right, gy: down) }
                    return "\(right.width * right.height)"
                }
            },
            Step(name: "warp") { "\(try warp.region(whole, of: input.part).pixels.count)" },
            Step(name: "difference") { "\(difference(input, pool))" },
        ]
    }

    /// Absolute difference to the template, threshold, opening, connected regions.
    private static func difference(_ input: VisionBenchInput, _ pool: ScratchPool) -> Int {
        let (width, height) = (input.part.width, input.part.height)
        return pool.lend { scratch in
            let one = scratch.plane(UInt8.self, width, height)
            let other = scratch.plane(UInt8.self, width, height)
            let row = scratch.take(UInt8.self, width)
            input.part.withPlane { part in
                input.template.withPlane { PixelLoops.absoluteDifference(part, $0, into: one) }
            }
            PixelLoops.threshold(one, from: threshold + 1, isDark: false, into: other)
            PixelLoops.erode(other, into: one, rows: row)
            PixelLoops.dilate(one, into: other, rows: row)
            return MeasuredBlob.all(in: other, scratch)?.count ?? -1
        }
    }

    private static func tools(_ input: VisionBenchInput) throws -> [Step] {
        let plain = try AlignmentTool(master: input.template, boxes: [input.box], margin: 40)
        let turning = try AlignmentTool(
            master: input.template,
            boxes: [input.box],
            margin: 40,
            rotation: 10,
            scale: 0.05
        )
        func shown(_ values: Double...) -> String {
            "[" + values.map { String(format: "%.3f", $0) }.joined(separator: ", ") + "]"
        }
        return [
            Step(name: "align") {
                let pose = try plain.pose(in: input.part)
                return shown(pose.dx, pose.dy)
            },
            Step(name: "align turned") {
                let pose = try turning.pose(in: input.turned)
                return shown(pose.dx, pose.dy, pose.angle)
            },
        ]
    }

    private static func inspection(_ input: VisionBenchInput, _ folder: String) throws -> [Step] {
        let text = """
            recipe: bench
            revision: "1"
            station: bench
            product: board
            control_plan: none
            tools:
              - name: board
                golden_template: {template: template.png, max_shift: 16, threshold: 40, min_area: 10}
            limits: {fail_at: 1, uncertain_at: 1}
            reaction: {reject_uncertain: true}
            """
        let judge = try Judge(recipe: Recipe.parse(text: text, file: "bench.yaml"), directory: folder)
        return [
            Step(name: "inspect") { "\(try judge.judge(input.part, sourceName: "part.png").defects.count)" },
            Step(name: VisionBench.verdict) {
                _ = input.part.sha256
                return "\(try judge.judge(input.part, sourceName: "part.png").verdict.rawValue)"
            },
        ]
    }

    /// None where OpenCV, which draws the code, is not there.
    private static func codes(_ folder: String) throws -> [Step] {
        let path = "\(folder)/code.png"
        guard Files.exists(path) else { return [] }
        let picture = try PictureCodec.load(path: path).grey()
        return [Step(name: "read code") { CodeReader.read(picture).first?.text ?? "nothing" }]
    }
}
