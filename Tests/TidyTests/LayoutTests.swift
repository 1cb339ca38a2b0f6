import Foundation
import Testing

@Suite struct LayoutTests {
    static let byteLimit = 1 << 20

    @Test func rootHoldsWhatTheLayoutNames() throws {
        let found = try FileManager.default.contentsOfDirectory(atPath: Repository.root.path)
        #expect(Self.strangers(in: found) == [], "not in the layout; give it a place in one of the folders")
        for entry in Repository.rootFiles + Repository.folders {
            #expect(found.contains(entry), "\(entry) is missing")
        }
    }

    @Test func filesAreSmall() throws {
        let sizes = try Repository.paths().map { ($0, try #require(try Repository.size(of: $0))) }
        #expect(sizes.count > 100)
        #expect(Self.oversized(sizes) == [], "more than \(Self.byteLimit) bytes do not belong into the repository")
    }

    @Test func servicesAreExecutables() throws {
        let files = try Repository.paths().filter { $0.hasPrefix("Services/") }
        let folders = Set(files.map { String($0.split(separator: "/")[1]) })
        let declared = Self.services(in: try Repository.read("Package.swift"))
        #expect(folders == declared, "the folders of Services and the services in Package.swift are the same")
    }

    @Test func strangersAreSeen() {
        #expect(
            Self.strangers(in: ["Package.swift", ".build-debug", "Sources", ".git", "notes.txt"]) == [
                "Sources", "notes.txt",
            ]
        )
    }

    @Test func oversizedFilesAreSeen() {
        #expect(Self.oversized([("a", Self.byteLimit), ("b", Self.byteLimit + 1)]) == ["b"])
    }

    @Test func servicesAreRead() {
        #expect(
            Self.services(in: "        service(\"a-b\", []),\n        service(\n            \"c\",\n") == ["a-b", "c"]
        )
    }

    private static func strangers(in entries: [String]) -> [String] {
        let known = Repository.rootFiles + Repository.folders + [".git", ".lineledger", "Package.resolved"]
        return entries.filter { !known.contains($0) && !$0.hasPrefix(".build") }.sorted()
    }

    private static func oversized(_ sizes: [(path: String, bytes: Int)]) -> [String] {
        sizes.filter { $0.bytes > byteLimit }.map(\.path)
    }

    private static func services(in manifest: String) -> Set<String> {
        Set(manifest.matches(of: /\bservice\(\s*"([^"]+)"/).map { String($0.output.1) })
    }
}
