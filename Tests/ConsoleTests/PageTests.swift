import Testing

/// The page works on an air-gapped network, and data cannot become code in it.
@Suite struct PageTests {
    private static let assets = [
        "/": "text/html; charset=utf-8", "/console.css": "text/css; charset=utf-8",
        "/console.js": "text/javascript; charset=utf-8", "/dom.js": "text/javascript; charset=utf-8",
        "/parts.js": "text/javascript; charset=utf-8", "/trace.js": "text/javascript; charset=utf-8",
        "/words.js": "text/javascript; charset=utf-8", "/icon.svg": "image/svg+xml",
    ]
    /// Names of XML vocabularies look like addresses and are none.
    private static let namespace = "http://www.w3.org/2000/svg"

    private static func fetch(_ path: String) async throws -> Answer {
        var answer: Answer?
        try await ConsoleBench.serveConsole(projectorPort: 1) { port, _ in
            answer = try await ConsoleBench.get(path, port)
        }
        return try #require(answer)
    }

    @Test(arguments: assets.keys.sorted())
    func aFileOfThePageIsServedWithItsType(_ path: String) async throws {
        let answer = try await Self.fetch(path)
        #expect(answer.status == 200)
        #expect(answer.header("content-type") == Self.assets[path])
        #expect(!answer.body.isEmpty)
    }

    @Test(arguments: assets.keys.sorted())
    func nothingIsLoadedFromElsewhere(_ path: String) async throws {
        let text = try await Self.fetch(path).text.replacing(Self.namespace, with: "")
        #expect(text.firstMatch(of: /https?:|wss?:|\/\/[a-z0-9-]+\.[a-z]|@import|url\(/) == nil)
    }

    @Test func everyFileThatThePageNamesIsServed() async throws {
        var named: Set<String> = []
        for path in Self.assets.keys {
            let text = try await Self.fetch(path).text
            named.formUnion(
                text.matches(of: /(?:src|href)="([^"]+)"|from "([^"]+)"/).map { String($0.1 ?? $0.2 ?? "") }
            )
        }
        #expect(named == Set(Self.assets.keys).subtracting(["/"]))
    }

    @Test(arguments: assets.keys.sorted())
    func dataNeverBecomesCode(_ path: String) async throws {
        let text = try await Self.fetch(path).text
        for way in [
            "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", " style=\"",
        ] {
            #expect(!text.contains(way), "\(way)")
        }
        #expect(text.firstMatch(of: /<[^>]+\son[a-z]+=/) == nil)
    }

    @Test(arguments: ["/", "/console.js", "/v1/overview", "/evidence/abc", "/v1/nothing"])
    func securityHeadersAreThereWhateverTheAnswer(_ path: String) async throws {
        let answer = try await Self.fetch(path)
        let policy = try #require(answer.header("content-security-policy"))
        #expect(policy.hasPrefix("default-src 'self';"))
        #expect(policy.contains("frame-ancestors 'none'"))
        #expect(!policy.contains("unsafe"))
        #expect(answer.header("x-content-type-options") == "nosniff")
        #expect(answer.header("referrer-policy") == "no-referrer")
        #expect(answer.header("cross-origin-resource-policy") == "same-origin")
    }
}
