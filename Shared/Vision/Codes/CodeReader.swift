/// Reads 1-D and 2-D codes: the picture as it is first, then made easier to read in one way after another, until as
/// many codes are found as are asked for. The same picture gives the same codes (M20): what is tried is bounded by the
/// number of pixels looked at, not by time.
package enum CodeReader {
    /// Most pixels looked at for one picture, all tries together; a picture larger than this is looked at once.
    package static let maxWork = 30_000_000
    /// Most codes of one picture.
    package static let maxCodes = 32

    /// The codes of the picture in the order in which they were found, at most `count`.
    package static func read(
        _ picture: Picture,
        symbologies: Set<Symbology> = Symbology.all,
        count: Int = 1
    ) -> [ReadCode] {
        let plain = CodeView(picture)
        var found = FoundCodes(wanted: min(max(count, 1), maxCodes), plain: plain)
        var work = 0
        for attempt in CodeAttempt.all {
            let cost = plain.width * plain.height * attempt.scale / 100
            guard work == 0 || work + cost <= maxWork, let view = attempt.make(plain) else { continue }
            work += cost
            for binarizer in attempt.binarizers {
                found.add(
                    CodeEngine.read(view, symbologies: symbologies, binarizer: binarizer, reader: attempt.name)
                )
            }
            if attempt.readsGrey, !symbologies.isDisjoint(with: [.ean13, .upcA]), let code = EanReader.read(view) {
                found.add([retail(code, symbologies)].compactMap { $0 })
            }
            if found.isComplete { break }
        }
        return found.codes
    }

    /// An EAN-13 that begins with 0 is a UPC-A where that is looked for.
    private static func retail(_ code: ReadCode, _ symbologies: Set<Symbology>) -> ReadCode? {
        if symbologies.contains(.upcA), code.text.hasPrefix("0") {
            return code.read(as: .upcA, text: String(code.text.dropFirst()))
        }
        return symbologies.contains(.ean13) ? code : nil
    }
}

/// One way to look at a picture.
private struct CodeAttempt {
    let name: String
    /// Pixels of the view for one of the picture, in hundredths.
    let scale: Int
    let binarizers: [CodeEngine.Binarizer]
    /// Whether EAN codes are read from its grey values too.
    var readsGrey = false
    let make: @Sendable (CodeView) -> CodeView?

    /// From what costs least and finds most.
    static let all: [CodeAttempt] = [
        CodeAttempt(name: "plain", scale: 100, binarizers: [.local]) { $0 },
        CodeAttempt(name: "stretched", scale: 600, binarizers: [.local, .global], readsGrey: true) { $0.stretched() },
        CodeAttempt(name: "enlarged twice", scale: 400, binarizers: [.local]) { $0.enlarged(2) },
        CodeAttempt(name: "inverted", scale: 100, binarizers: [.local]) { $0.inverted() },
        CodeAttempt(name: "reduced to a half", scale: 50, binarizers: [.local, .global]) { $0.reduced(2) },
        CodeAttempt(name: "blurred", scale: 200, binarizers: [.local, .global]) { $0.stretched().blurred(radius: 1) },
        CodeAttempt(name: "enlarged twice, sharpened", scale: 800, binarizers: [.local, .global]) {
            $0.stretched().enlarged(2).sharpened(radius: 3, strength: 15)
        },
        CodeAttempt(name: "reduced to a quarter", scale: 20, binarizers: [.local, .global]) { $0.reduced(4) },
        CodeAttempt(name: "enlarged three times", scale: 900, binarizers: [.global]) { $0.stretched().enlarged(3) },
    ]
}

/// What was found so far.
private struct FoundCodes {
    let wanted: Int
    let plain: CodeView
    private(set) var codes: [ReadCode] = []
    /// Codes of symbologies that chance can imitate, seen once.
    private var unsure: [ReadCode] = []

    init(wanted: Int, plain: CodeView) {
        self.wanted = wanted
        self.plain = plain
    }

    var isComplete: Bool { codes.count >= wanted }

    mutating func add(_ more: [ReadCode]) {
        for code in more where !isComplete && !codes.contains(where: { $0.isSame(as: code) }) {
            if isSure(code) { codes.append(code) } else { unsure.append(code) }
        }
    }

    private func isSure(_ code: ReadCode) -> Bool {
        switch code.symbology {
        case .ean13, .upcA, .ean8:
            return code.reader == "grey values" || EanReader.confirms(code, plain)
        case .itf, .codabar, .code39, .code32, .upcE, .dataBar:
            return unsure.contains { $0.isSame(as: code) } || isSeenAgain(code)
        default:
            return !isAtLimit(code) || unsure.contains { $0.isSame(as: code) } || isSeenAgain(code)
        }
    }

    /// Whether nearly all error correction was used up, so that another text may be as near: grade F by ISO/IEC 15415.
    private func isAtLimit(_ code: ReadCode) -> Bool { (code.unusedErrorCorrection ?? 1) < 0.25 }

    /// Whether it is read as well where its surroundings are looked at alone, enlarged.
    private func isSeenAgain(_ code: ReadCode) -> Bool {
        let box = code.box
        let margin = max(box.width, box.height) / 4 + 8
        guard let part = plain.cropped(to: box, margin: margin) else { return false }
        return CodeEngine.read(part.enlarged(2), symbologies: [code.symbology], binarizer: .global, reader: "")
            .contains { $0.bytes == code.bytes }
    }
}

extension ReadCode {
    /// Whether both are readings of one code: the same text in the same place.
    fileprivate func isSame(as other: ReadCode) -> Bool {
        guard symbology == other.symbology, bytes == other.bytes else { return false }
        let (a, b) = (box, other.box)
        let margin = 2 + max(a.width, a.height) / 8
        return a.x <= b.x + b.width + margin && b.x <= a.x + a.width + margin
            && a.y <= b.y + b.height + margin && b.y <= a.y + a.height + margin
    }
}
