import Evidence
import Foundation
import Testing
import Vision

/// Kept pictures are served by the hash of their pixels; nothing else of the disk is.
@Suite struct EvidenceRouteTests {
    /// No query is asked here.
    private static let noProjector = 1

    private static func picture(seed: UInt8) throws -> Picture {
        let pixels = (0..<(32 * 24)).map { UInt8(truncatingIfNeeded: $0) &* 7 &+ seed }
        return try Picture(width: 32, height: 24, channels: 1, pixels: pixels)
    }

    @Test(arguments: [true, false])
    func aKeptPictureIsServedAsItLiesOnDisk(_ lossless: Bool) async throws {
        try await ConsoleBench.serveConsole(projectorPort: Self.noProjector) { port, evidence in
            let picture = try Self.picture(seed: lossless ? 1 : 2)
            let stored = try evidence.store(picture, lossless: lossless)
            let answer = try await ConsoleBench.get("/evidence/\(stored.pixelsSHA256)", port)
            #expect(answer.status == 200)
            #expect(answer.header("content-type") == stored.mediaType)
            #expect(answer.header("cache-control") == "private, max-age=31536000, immutable")
            #expect(answer.body.count == stored.bytes)
            let served = try PictureCodec.decode(answer.body, name: "served")
            #expect((served.width, served.height) == (picture.width, picture.height))
            if lossless { #expect(served.sha256 == stored.pixelsSHA256) }
        }
    }

    @Test func whatIsNotKeptIsSaidSoAndNotCached() async throws {
        try await ConsoleBench.serveConsole(projectorPort: Self.noProjector) { port, evidence in
            let hash = try Self.picture(seed: 3).sha256
            let answer = try await ConsoleBench.get("/evidence/\(hash)", port)
            #expect(answer.status == 404)
            #expect(answer.header("cache-control") == "no-store")
            #expect(try answer.error() == "no picture with the hash \(hash) is kept here")
        }
    }

    @Test(arguments: [
        "abc", String(repeating: "a", count: 63), String(repeating: "a", count: 65), String(repeating: "A", count: 64),
        String(repeating: "g", count: 64), String(repeating: "a", count: 64) + ".png",
        String(repeating: "a", count: 63) + "%61", "..", "%2E%2E", "%00", String(repeating: "%C3%A9", count: 32),
    ])
    func whatIsNoHashIsRefused(_ name: String) async throws {
        try await ConsoleBench.serveConsole(projectorPort: Self.noProjector) { port, _ in
            let answer = try await ConsoleBench.get("/evidence/\(name)", port)
            #expect(answer.status == 400)
            #expect(try answer.error().contains("expected 64 lower-case hexadecimal digits"))
        }
    }

    @Test(arguments: [
        "../secret", "..%2Fsecret", "%2E%2E%2Fsecret", "x/../../secret", "/etc/hostname", "%2Fetc%2Fhostname",
    ])
    func noOtherFileIsReached(_ path: String) async throws {
        try await ConsoleBench.serveConsole(projectorPort: Self.noProjector) { port, evidence in
            let secret = "\(evidence.directory)/../secret-\(port)"
            try Data("secret".utf8).write(to: URL(fileURLWithPath: secret))
            defer { try? FileManager.default.removeItem(atPath: secret) }
            let name = path.replacing("secret", with: "secret-\(port)")
            let answer = try await ConsoleBench.get("/evidence/\(name)", port)
            #expect([400, 404].contains(answer.status))
            #expect(answer.text != "secret")
        }
    }
}
