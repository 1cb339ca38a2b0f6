import PlantCore
import SeededRandom
import Testing

/// A device whose clock differs from the host's in a known way, and a host that stamps its frames late.
private struct Device {
    var random: SplitMix64
    var hostUs: Int64 = 1_715_922_000_000_000
    /// Device minus host at `sinceUs`, microseconds.
    var skewUs: Double
    var driftPpm: Double
    var sinceUs: Int64 = 1_715_922_000_000_000
    /// Frames a second.
    var rate = 10.0
    var jitter: Jitter

    enum Jitter: CaseIterable {
        case none, uniform, exponential, heavyTailed
    }

    init(seed: UInt64, skewUs: Double, driftPpm: Double, jitter: Jitter) {
        random = SplitMix64(seed: seed)
        self.skewUs = skewUs
        self.driftPpm = driftPpm
        self.jitter = jitter
    }

    /// Device minus host now, microseconds.
    var truth: Double { skewUs + driftPpm * Double(hostUs - sinceUs) / 1_000_000 }

    mutating func step(by us: Double) {
        skewUs = truth + us
        sinceUs = hostUs
    }

    /// The next frame: the device's stamp at exposure, the host's when it has it.
    mutating func frame() -> (deviceUs: Int64, hostUs: Int64) {
        hostUs += Int64(1_000_000 / rate)
        let share = Double(random.next() >> 11) / Double(1 << 53)
        let delayUs: Double =
            switch jitter {
            case .none: 0
            case .uniform: 800 * share
            case .exponential: min(20_000, -300 * logarithm(1 - share))
            case .heavyTailed: random.once(in: 20) ? 50_000 * share : 200 * share
            }
        return (Int64((Double(hostUs) + truth).rounded()), hostUs + Int64(delayUs))
    }
}

/// Natural logarithm, by its series around the nearest power of two: the standard library has none.
private func logarithm(_ value: Double) -> Double {
    let (exponent, part) = (Double(value.exponent), value.significand)
    let ratio = (part - 1) / (part + 1)
    var (sum, power) = (0.0, ratio)
    for term in stride(from: 1.0, through: 61, by: 2) {
        sum += power / term
        power *= ratio * ratio
    }
    return 2 * sum + exponent * 0.693_147_180_559_945_3
}

@Suite struct DeviceClockTests {
    @Test(
        "M18: skew of minutes, drift, and late stamps: the estimate lies within its stated bound",
        arguments: UInt64(1)...40
    )
    func withinItsBound(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var (inside, all) = (0, 0)
        for jitter in Device.Jitter.allCases {
            var device = Device(
                seed: seed,
                skewUs: Double(Int.random(in: -300_000_000...300_000_000, using: &random)),
                driftPpm: Double(Int.random(in: -200...200, using: &random)),
                jitter: jitter
            )
            device.rate = Double(random.pick([2, 5, 10, 100]))
            var clock = DeviceClock()
            for index in 0..<2_000 {
                let frame = device.frame()
                _ = clock.take(deviceUs: frame.deviceUs, hostUs: frame.hostUs)
                guard index > 500, index % 50 == 0, let estimate = clock.estimate else { continue }
                all += 1
                if abs(Double(estimate.skewUs) - device.truth) <= Double(estimate.uncertaintyUs) + 2 { inside += 1 }
                #expect(abs(Double(estimate.skewUs) - device.truth) < 2_000, "\(jitter) at \(index)")
            }
            #expect(abs((clock.estimate?.driftPpm ?? .infinity) - device.driftPpm) < 20, "\(jitter) \(device.rate)/s")
            #expect(clock.steps == 0, "\(jitter): a late stamp is no step")
        }
        #expect(Double(inside) >= 0.95 * Double(all), "\(inside) of \(all)")
    }

    @Test(
        "M18: a step, a leap second or a reset is followed",
        arguments: [1_000_000.0, -1_000_000, 50_000, -3_600_000_000]
    )
    func followsSteps(step: Double) {
        var device = Device(seed: 7, skewUs: 1_000, driftPpm: 30, jitter: .exponential)
        var clock = DeviceClock()
        for _ in 0..<600 {
            let frame = device.frame()
            _ = clock.take(deviceUs: frame.deviceUs, hostUs: frame.hostUs)
        }
        device.step(by: step)
        for _ in 0..<300 {
            let frame = device.frame()
            _ = clock.take(deviceUs: frame.deviceUs, hostUs: frame.hostUs)
        }
        #expect(clock.steps == 1)
        let estimate = clock.estimate
        #expect(abs(Double(estimate?.skewUs ?? 0) - device.truth) <= Double(estimate?.uncertaintyUs ?? 0) + 2)
    }

    @Test("M18: estimates are told when they change, never more often than every ten seconds")
    func tellsSeldom() {
        var device = Device(seed: 3, skewUs: 0, driftPpm: 0, jitter: .exponential)
        var clock = DeviceClock()
        var told: [(estimate: DeviceClock.Estimate, atUs: Int64)] = []
        for index in 0..<36_000 {
            // After half an hour the device's crystal warms up.
            if index == 18_000 {
                device.step(by: 0)
                device.driftPpm = 40
            }
            let frame = device.frame()
            if let estimate = clock.take(deviceUs: frame.deviceUs, hostUs: frame.hostUs) {
                told.append((estimate, frame.hostUs))
            }
        }
        for (one, next) in zip(told, told.dropFirst()) { #expect(next.atUs - one.atUs >= 10_000_000) }
        #expect((7...40).contains(told.count), "\(told.count) in an hour")
        #expect(abs((told.last?.estimate.driftPpm ?? 0) - 40) < 2)
    }

    @Test("A device without a clock has no estimate")
    func withoutClock() {
        var clock = DeviceClock()
        for index in Int64(0)..<1_000 { #expect(clock.take(deviceUs: 0, hostUs: 1 + index * 100_000) == nil) }
        #expect(clock.estimate == nil)
    }
}
