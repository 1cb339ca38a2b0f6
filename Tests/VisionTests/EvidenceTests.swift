import Evidence
import Foundation
import SeededRandom
import Testing
import Vision

@Suite struct EvidenceStoreTests {
    @Test(arguments: 0..<10) func whatIsStoredComesBack(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let folder = try TemporaryFolder()
        let picture = try randomPicture(&generator, channels: seed % 2 == 0 ? 1 : 3)
        let store = try EvidenceStore(directory: folder.path, budgetBytes: 1_000_000)
        let stored = try store.store(picture, lossless: true)
        #expect(stored.lossless && stored.mediaType == "image/png" && stored.pixelsSHA256 == picture.sha256)
        #expect(try store.load(pixelsSHA256: picture.sha256) == picture)
        #expect(try store.store(picture, lossless: true) == stored)
        #expect(try store.usedBytes() == stored.bytes)
        #expect(try EvidenceStore(directory: folder.path, budgetBytes: 1).usedBytes() == stored.bytes)
        #expect(try store.remove(pixelsSHA256: picture.sha256) == stored.bytes)
        #expect(try store.load(pixelsSHA256: picture.sha256) == nil)
        #expect(try store.usedBytes() == 0)
    }

    @Test func aSmallerFormIsCheckedByTheHashOfItsFile() throws {
        let folder = try TemporaryFolder()
        let picture = try board().picture
        let store = try EvidenceStore(directory: folder.path, budgetBytes: 1_000_000)
        let stored = try store.store(picture, lossless: false)
        #expect(!stored.lossless && stored.mediaType == "image/jpeg")
        #expect(try store.load(pixelsSHA256: picture.sha256, storedSHA256: stored.storedSHA256)?.width == 160)
        #expect(throws: EvidenceError.self) {
            try store.load(pixelsSHA256: picture.sha256, storedSHA256: String(repeating: "0", count: 64))
        }
    }

    @Test func aChangedPictureIsNamedAndStoredAgain() throws {
        let folder = try TemporaryFolder()
        let picture = try board().picture
        let store = try EvidenceStore(directory: folder.path, budgetBytes: 1_000_000)
        let stored = try store.store(picture, lossless: true)
        let name = picture.sha256
        let path = "\(folder.path)/\(name.prefix(2))/\(name.dropFirst(2).prefix(2))/\(name).png"
        var other = board()
        other.fill(x: 0, y: 0, width: 1, height: 1, 21)
        try Data(PictureCodec.encodePNG(other.picture)).write(to: URL(filePath: path))
        #expect {
            try store.load(pixelsSHA256: name)
        } throws: {
            "\($0)".contains(path) && "\($0)".contains("damaged")
        }
        #expect(try store.store(picture, lossless: true) == stored)
        #expect(try store.load(pixelsSHA256: name) == picture)
    }

    @Test func aFullStoreSaysSoAndKeepsWhatItHas() throws {
        let folder = try TemporaryFolder()
        var generator = SplitMix64(seed: 3)
        let first = try randomPicture(&generator, channels: 3)
        let size = try PictureCodec.encodePNG(first).count
        let store = try EvidenceStore(directory: folder.path, budgetBytes: size)
        _ = try store.store(first, lossless: true)
        let second = try board().picture
        let needed = try PictureCodec.encodePNG(second).count
        #expect(throws: EvidenceError.full(directory: folder.path, used: size, needed: needed, budget: size)) {
            try store.store(second, lossless: true)
        }
        #expect(try store.load(pixelsSHA256: first.sha256) == first)
    }

    @Test func samePixelsOfAnotherGeometryAreRefused() throws {
        let folder = try TemporaryFolder()
        let store = try EvidenceStore(directory: folder.path, budgetBytes: 1_000_000)
        _ = try store.store(Canvas(8, 2).picture, lossless: true)
        #expect(throws: EvidenceError.self) { try store.store(Canvas(4, 4).picture, lossless: true) }
    }

    @Test(arguments: ["", "../../etc/passwd", String(repeating: "G", count: 64), String(repeating: "a", count: 63)])
    func onlyHashesNameEvidence(name: String) throws {
        let folder = try TemporaryFolder()
        let store = try EvidenceStore(directory: folder.path, budgetBytes: 1)
        #expect(throws: EvidenceError.notAHash(name)) { try store.load(pixelsSHA256: name) }
    }
}

@Suite struct PixelRingTests {
    private let geometry = RingGeometry(slots: 4, slotBytes: 5_000)

    @Test(arguments: 0..<20) func framesComeOutAsTheyWentIn(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/ring"
        let camera = try PixelRing(path: path, geometry: geometry)
        let inspector = try PixelRing(path: path, geometry: geometry)
        var inside: [UInt64: Picture] = [:]
        var next: UInt64 = 0
        for _ in 0..<300 {
            if Bool.random(using: &generator) {
                let picture = try randomPicture(&generator, channels: next % 2 == 0 ? 1 : 3)
                let isFull = inside[next &- 4] != nil
                #expect(try camera.put(session: 1, sequence: next, picture) == !isFull)
                if !isFull {
                    inside[next] = picture
                    next += 1
                }
            } else if let oldest = inside.keys.min() {
                #expect(try inspector.take(session: 1, sequence: oldest) == inside[oldest])
                try inspector.release(session: 1, sequence: oldest)
                #expect(try inspector.take(session: 1, sequence: oldest) == nil)
                inside[oldest] = nil
            }
            #expect(try camera.waiting() == inside.count && inspector.waiting() == inside.count)
        }
    }

    @Test func framesOutliveBothProcesses() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/ring"
        let picture = try Canvas(20, 30).picture
        do {
            let camera = try PixelRing(path: path, geometry: geometry)
            #expect(try camera.put(session: 7, sequence: 2, picture))
        }
        let camera = try PixelRing(path: path, geometry: geometry)
        #expect(try camera.put(session: 7, sequence: 2, picture), "the same frame again")
        #expect(try !camera.put(session: 8, sequence: 2, picture), "the slot is taken")
        let inspector = try PixelRing(path: path, geometry: geometry)
        #expect(try inspector.take(session: 7, sequence: 2) == picture)
        try inspector.releaseThrough(session: 8, sequence: 0)
        #expect(try camera.put(session: 8, sequence: 2, picture))
        #expect(try inspector.take(session: 7, sequence: 2) == nil)
        #expect(try inspector.take(session: 8, sequence: 2) == picture)
    }

    @Test func framesThatWereNeverRecordedAreThrownAway() throws {
        let folder = try TemporaryFolder()
        let ring = try PixelRing(path: "\(folder.path)/ring", geometry: geometry)
        let picture = try Canvas(2, 2).picture
        for sequence in 0..<4 { #expect(try ring.put(session: 3, sequence: UInt64(sequence), picture)) }
        try ring.releaseFrom(session: 3, sequence: 2)
        #expect(try (0..<4).map { try ring.take(session: 3, sequence: $0) != nil } == [true, true, false, false])
    }

    @Test func aSecondCameraIsRefusedWhileTheFirstLives() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/ring"
        let picture = try Canvas(2, 2).picture
        let second = try PixelRing(path: path, geometry: geometry)
        do {
            let first = try PixelRing(path: path, geometry: geometry)
            #expect(try first.put(session: 1, sequence: 0, picture))
            #expect(throws: FileError.self) { try second.put(session: 1, sequence: 1, picture) }
        }
        #expect(try second.put(session: 1, sequence: 1, picture))
    }

    @Test func aPictureLargerThanASlotIsAnError() throws {
        let folder = try TemporaryFolder()
        let ring = try PixelRing(path: "\(folder.path)/ring", geometry: geometry)
        #expect(throws: FileError.self) { try ring.put(session: 1, sequence: 0, Canvas(100, 51).picture) }
    }

    @Test func anotherGeometryMakesTheRingAnewAndTheOtherSideFollows() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/ring"
        let picture = try Canvas(10, 10).picture
        let old = try PixelRing(path: path, geometry: geometry)
        #expect(try old.put(session: 1, sequence: 0, picture))
        try FileManager.default.removeItem(atPath: path)
        let anew = try PixelRing(path: path, geometry: geometry)
        #expect(try anew.take(session: 1, sequence: 0) == nil)
        #expect(try old.put(session: 1, sequence: 1, picture))
        #expect(try anew.take(session: 1, sequence: 1) == picture)
        let larger = try PixelRing(path: path, geometry: RingGeometry(slots: 2, slotBytes: 9_000))
        #expect(try larger.take(session: 1, sequence: 1) == nil)
    }

    /// Where the writer stops, byte by byte of the slot's label: state word, session, sequence, width, height,
    /// channels.
    @Test func aWriterKilledHalfWayLeavesNothingToTake() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/ring"
        let picture = try Canvas(10, 10).picture
        try change(path) { $0[4_096] = 1 }
        let ring = try PixelRing(path: path, geometry: geometry)
        #expect(try ring.take(session: 0, sequence: 0) == nil)
        #expect(try ring.put(session: 1, sequence: 0, picture))
        #expect(try ring.take(session: 1, sequence: 0) == picture)
    }

    @Test(arguments: 0..<200) func whateverTheFileHoldsNothingCrashes(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/ring"
        let picture = try Canvas(10, 10).picture
        do {
            let ring = try PixelRing(path: path, geometry: geometry)
            for sequence in 0..<4 { _ = try ring.put(session: 1, sequence: UInt64(sequence), picture) }
        }
        try change(path) { bytes in
            for _ in 0..<8 {
                let inLabels = Bool.random(using: &generator)
                let position = Int.random(in: inLabels ? 4_096..<4_352 : 0..<32, using: &generator)
                bytes[position] = UInt8.random(in: 0...255, using: &generator)
            }
        }
        let ring = try PixelRing(path: path, geometry: geometry)
        for sequence in 0..<4 {
            if let taken = try ring.take(session: 1, sequence: UInt64(sequence)) {
                #expect(taken.pixels.count <= geometry.slotBytes)
            }
        }
        try ring.releaseThrough(session: .max, sequence: .max)
        for sequence in 0..<4 {
            #expect(try ring.put(session: 2, sequence: UInt64(sequence), picture))
            #expect(try ring.take(session: 2, sequence: UInt64(sequence)) == picture)
        }
    }

    private func change(_ path: String, _ edit: (inout [UInt8]) -> Void) throws {
        if !FileManager.default.fileExists(atPath: path) { _ = try PixelRing(path: path, geometry: geometry) }
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        edit(&bytes)
        try Data(bytes).write(to: URL(filePath: path))
    }
}
