import SeededRandom
import Testing
import Vision

/// A station's view: a fixed background with guides, parts that lie differently each time, sensor noise.
private struct Station {
    static let (width, height) = (320, 240)
    var random: SplitMix64
    /// Standard deviation of the noise, grey levels, about.
    var noise = 1.5
    private let background: [UInt8]

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        var pixels = [UInt8](repeating: 90, count: Self.width * Self.height)
        for y in 0..<Self.height {
            for x in 0..<Self.width {
                // Guides along the conveyor, with marks that fix the view across it.
                if (20..<32).contains(y) || (205..<220).contains(y) { pixels[y * Self.width + x] = 160 }
                if (20..<32).contains(y) || (205..<220).contains(y), x / 24 % 3 == 0 { pixels[y * Self.width + x] = 40 }
            }
        }
        background = pixels
    }

    /// The next part, in any place between the guides.
    mutating func next() -> [UInt8] {
        var pixels = background
        let (left, top) = (40 + Int(random.next() % 160), 60 + Int(random.next() % 60))
        for y in top..<top + 70 {
            for x in left..<left + 70 { pixels[y * Self.width + x] = (x + y) / 9 % 2 == 0 ? 200 : 130 }
        }
        return pixels
    }

    mutating func noisy(_ pixels: [UInt8], by noise: Double? = nil) -> [UInt8] {
        let scale = Float(noise ?? self.noise)
        return pixels.map { level in
            let away = Self.bell[Int(random.next() & 4_095)] * scale
            return UInt8(max(0, min(255, (Float(level) + away).rounded())))
        }
    }

    /// Draws of a bell curve: sums of four even numbers, near enough, scaled to a deviation of 1.
    private static let bell: [Float] = {
        var random = SplitMix64(seed: 77)
        return (0..<4_096).map { _ in
            let sum = (0..<4).reduce(Float(0)) { sum, _ in sum + Float(random.next() & 0xffff) / 65_536 }
            return (sum - 2) / 0.577
        }
    }()
}

private func picture(_ pixels: [UInt8], channels: Int = 1) throws -> Picture {
    try Picture(
        width: Station.width,
        height: Station.height,
        channels: channels,
        pixels: channels == 1 ? pixels : pixels.flatMap { [$0 / 2, $0, $0 / 3] }
    )
}

/// A mean over a square: what an unsharp lens does, nearly.
private func blurred(_ pixels: [UInt8], radius: Int) -> [UInt8] {
    var out = pixels
    for y in 0..<Station.height {
        for x in 0..<Station.width {
            var (sum, count) = (0, 0)
            for v in max(0, y - radius)...min(Station.height - 1, y + radius) {
                for u in max(0, x - radius)...min(Station.width - 1, x + radius) {
                    sum += Int(pixels[v * Station.width + u])
                    count += 1
                }
            }
            out[y * Station.width + x] = UInt8(sum / count)
        }
    }
    return out
}

private func shifted(_ pixels: [UInt8], _ dx: Int, _ dy: Int) -> [UInt8] {
    pixels.indices.map { index in
        let (x, y) = (index % Station.width, index / Station.width)
        let (u, v) = (max(0, min(Station.width - 1, x - dx)), max(0, min(Station.height - 1, y - dy)))
        return pixels[v * Station.width + u]
    }
}

private let faults = PictureWatch.Fault.allCases

@Suite struct PictureWatchTests {
    /// A picture as the fault leaves it.
    private static func spoil(
        _ pixels: [UInt8],
        _ fault: PictureWatch.Fault,
        frozen: [UInt8],
        _ station: inout Station
    ) -> [UInt8] {
        switch fault {
        case .frozen: frozen
        case .dark: station.noisy(pixels.map { $0 / 3 })
        case .overexposed: station.noisy(pixels.map { UInt8(min(255, Int($0) * 3)) })
        case .blurred: station.noisy(blurred(pixels, radius: 3))
        case .shifted: station.noisy(shifted(pixels, 20, 10))
        case .noisy: station.noisy(pixels, by: 12)
        }
    }

    @Test(
        "M23: each fault is named by itself within five pictures, and is over after five good ones",
        arguments: faults
    )
    func namesFaults(fault: PictureWatch.Fault) throws {
        for (seed, channels) in [(UInt64(1), 1), (2, 3)] {
            var station = Station(seed: seed)
            var watch = PictureWatch()
            for number in UInt64(0)..<40 {
                #expect(
                    watch.take(try picture(station.noisy(station.next()), channels: channels), number: number) == []
                )
            }
            #expect(watch.isTaught)
            let frozen = station.noisy(station.next())
            _ = watch.take(try picture(frozen, channels: channels), number: 40)
            var named: [PictureWatch.Finding] = []
            for number in UInt64(41)..<46 {
                let spoilt = Self.spoil(station.next(), fault, frozen: frozen, &station)
                named += watch.take(try picture(spoilt, channels: channels), number: number)
            }
            #expect(named.map(\.fault) == [fault] && named.allSatisfy(\.hasBegun), "\(fault): \(named)")
            #expect(named.first?.number == 41, "the first picture that is affected")
            #expect(watch.active == [fault])
            var restored: [PictureWatch.Finding] = []
            for number in UInt64(46)..<51 {
                restored += watch.take(try picture(station.noisy(station.next()), channels: channels), number: number)
            }
            #expect(restored.map(\.fault) == [fault] && restored.first?.hasBegun == false, "\(restored)")
            #expect(restored.first?.number == 46)
            #expect(watch.active.isEmpty)
        }
    }

    @Test("M23: pictures of an ordinary day name nothing", arguments: UInt64(1)...3)
    func namesNothing(seed: UInt64) throws {
        var station = Station(seed: seed)
        var watch = PictureWatch()
        for number in UInt64(0)..<300 {
            // The belt is empty now and then, and the light flickers by a tenth.
            let light = 230 + number % 51
            let pixels = number % 17 == 3 ? Station(seed: seed).emptyBelt : station.next()
            let lit = pixels.map { UInt8(UInt64($0) * light / 255) }
            #expect(watch.take(try picture(station.noisy(lit)), number: number) == [])
        }
    }

    @Test("M23: a lens cap is named from the first pictures on, and teaches nothing")
    func blackFromTheBeginning() throws {
        var station = Station(seed: 9)
        var watch = PictureWatch()
        var named: [PictureWatch.Finding] = []
        let black = [UInt8](repeating: 2, count: Station.width * Station.height)
        for number in UInt64(0)..<50 { named += watch.take(try picture(station.noisy(black)), number: number) }
        #expect(named.map(\.fault) == [.dark] && named.first?.number == 0)
        #expect(!watch.isTaught)
    }

    @Test("M23: faults that were named before a restart end when pictures are good, and are not named twice")
    func goesOnAfterRestart() throws {
        var station = Station(seed: 11)
        var watch = PictureWatch(active: [.frozen])
        let frozen = station.noisy(station.next())
        for number in UInt64(0)..<10 { #expect(watch.take(try picture(frozen), number: number) == []) }
        var findings: [PictureWatch.Finding] = []
        for number in UInt64(10)..<20 {
            findings += watch.take(try picture(station.noisy(station.next())), number: number)
        }
        #expect(findings.map(\.fault) == [.frozen] && findings.first?.hasBegun == false)
    }

    @Test("A fault that is switched off is never named")
    func switchedOff() throws {
        var settings = PictureWatch.Settings()
        settings.frozen = nil
        var station = Station(seed: 12)
        var watch = PictureWatch(settings)
        let frozen = station.noisy(station.next())
        for number in UInt64(0)..<50 { #expect(watch.take(try picture(frozen), number: number) == []) }
    }

    @Test("Pictures of any size are taken; another size is learned anew")
    func sizes() throws {
        var watch = PictureWatch()
        for (number, size) in [(1, 1), (31, 200), (32, 32), (640, 33), (33, 480)].enumerated() {
            let pixels = (0..<size.0 * size.1).map { UInt8(truncatingIfNeeded: $0 &* 37) }
            let picture = try Picture(width: size.0, height: size.1, channels: 1, pixels: pixels)
            #expect(watch.take(picture, number: UInt64(number)) == [])
        }
    }
}

extension Station {
    fileprivate var emptyBelt: [UInt8] { background }
}
