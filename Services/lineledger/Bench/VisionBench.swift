import Foundation
import Vision

/// How long each step of an inspection takes, beside OpenCV doing the same on the same pictures in turns.
struct VisionBench {
    /// Processor time of the one thread: what else runs on the machine is not in it.
    struct Time: Encodable {
        let p50Us: Double
        let p99Us: Double
        let imagesPerSecond: Double

        init(_ timesUs: [Double]) {
            let sorted = timesUs.sorted()
            p50Us = sorted.isEmpty ? 0 : sorted[sorted.count / 2]
            p99Us = sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
            imagesPerSecond = p50Us > 0 ? 1e6 / p50Us : 0
        }
    }

    struct Step: Encodable {
        let step: String
        let ours: Time
        let opencv: Time?
        /// OpenCV's median time over ours: above 1 ours is faster.
        let ratio: Double?
        let found: String
        let opencvFound: String?
    }

    struct SizeResult: Encodable {
        let width: Int
        let height: Int
        let steps: [Step]
        /// Milliseconds that a verdict on one core may take (p99), by the design; nil for other sizes.
        let budgetMs: Double?
        /// Hash of the pixels and verdict by a golden template: what stands between the pixels and the reject.
        let verdictP99Ms: Double
    }

    struct Result: Encodable {
        let sizes: [SizeResult]
        let versions: [String: String]
        /// Why there are no figures of OpenCV.
        let notMeasured: String?
    }

    static let verdict = "verdict"

    let sizes: [(width: Int, height: Int)]
    /// For each step and round.
    let seconds: Double
    let rounds: Int
    let progress: (_ what: String, _ share: Double) -> Void

    func run() throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lineledger-vision-\(getpid())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        progress("preparing OpenCV", 0)
        var python: OpenCV?
        var notMeasured: String?
        do {
            python = try OpenCV(folder: folder)
        } catch let failure as PythonEnvironment.Failure {
            notMeasured = failure.reason
        }
        var results: [SizeResult] = []
        for (index, size) in sizes.enumerated() {
            results.append(try measure(size.width, size.height, folder, &python, Double(index) / Double(sizes.count)))
        }
        return Result(sizes: results, versions: python?.versions ?? [:], notMeasured: notMeasured)
    }

    private func measure(
        _ width: Int,
        _ height: Int,
        _ folder: String,
        _ python: inout OpenCV?,
        _ done: Double
    ) throws -> SizeResult {
        let input = try VisionBenchInput(width: width, height: height)
        try input.write(to: folder)
        let steps = try VisionBenchSteps(input, folder: folder).all
        var ours: [[Double]] = steps.map { _ in [] }
        var theirs: [String: [Double]] = [:]
        var found = steps.map { _ in "" }
        var theirFound: [String: String] = [:]
        for round in 0..<rounds {
            let share = done + Double(round) / Double(rounds * sizes.count)
            progress("\(width)x\(height), ours", share)
            for (index, step) in steps.enumerated() {
                found[index] = try step.work()
                ours[index] += try time(step.work)
            }
            guard python != nil else { continue }
            progress("\(width)x\(height), OpenCV", share)
            for (name, answer) in try python?.measure(seconds: seconds) ?? [:] {
                theirs[name, default: []] += answer.timesUs
                theirFound[name] = answer.found
            }
        }
        let results = steps.enumerated().map { index, step in
            let (own, other) = (Time(ours[index]), theirs[step.name].map(Time.init))
            return Step(
                step: step.name,
                ours: own,
                opencv: other,
                ratio: other.map { $0.p50Us / max(own.p50Us, 0.001) },
                found: found[index],
                opencvFound: theirFound[step.name]
            )
        }
        let pixels = width * height
        return SizeResult(
            width: width,
            height: height,
            steps: results,
            budgetMs: pixels <= 640 * 640 ? 5 : pixels <= 5_100_000 ? 40 : nil,
            verdictP99Ms: (results.first { $0.step == Self.verdict }?.ours.p99Us ?? 0) / 1_000
        )
    }

    /// Microseconds of processor time of each call, for the time of a step or five calls.
    private func time(_ work: () throws -> String) throws -> [Double] {
        let end = Self.now(CLOCK_MONOTONIC) + seconds * 1e6
        var times: [Double] = []
        while times.count < 5 || Self.now(CLOCK_MONOTONIC) < end {
            let start = Self.now(CLOCK_THREAD_CPUTIME_ID)
            _ = try work()
            times.append(Self.now(CLOCK_THREAD_CPUTIME_ID) - start)
        }
        return times
    }

    private static func now(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }
}

/// deploy/bench/vision.py.
private struct OpenCV {
    struct Answer: Decodable {
        let timesUs: [Double]
        let found: String

        enum CodingKeys: String, CodingKey {
            case timesUs = "times_us"
            case found
        }
    }

    private struct Report: Decodable {
        let steps: [String: Answer]
        let versions: [String: String]
    }

    private static let script = "deploy/bench/vision.py"
    private let python: String
    private let folder: String
    private(set) var versions: [String: String] = [:]

    init(folder: String) throws {
        self.folder = folder
        python = try PythonEnvironment.prepare(
            script: Self.script,
            importing: "cv2, numpy",
            requirements: "deploy/bench/vision-requirements.txt"
        )
        _ = try run(["--prepare"])
    }

    mutating func measure(seconds: Double) throws -> [String: Answer] {
        let report = try JSONDecoder().decode(Report.self, from: try run(["--seconds", "\(seconds)"]))
        versions = report.versions
        return report.steps
    }

    private func run(_ options: [String]) throws -> Data {
        let done = try PythonEnvironment.execute([python, Self.script, "--folder", folder] + options)
        guard done.status == 0 else {
            throw PythonEnvironment.Failure(reason: "\(Self.script): \(done.errors.suffix(300))")
        }
        return done.output
    }
}
