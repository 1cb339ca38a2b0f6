/// Kinds of codes that can be read, in one spelling everywhere.
package enum Symbology: String, CaseIterable, Sendable {
    case aztec
    case codabar
    /// Code 39 with the characters as they are.
    case code39 = "code-39"
    /// Italian Pharmacode: six characters of Code 39 that hold eight digits and a check digit, told as "A" and nine
    /// digits. Where it is looked for, a Code 39 that could be one is taken for one.
    case code32 = "code-32"
    case code93 = "code-93"
    case code128 = "code-128"
    /// GS1 DataBar: omnidirectional, truncated and stacked.
    case dataBar = "databar"
    case dataBarExpanded = "databar-expanded"
    case dataMatrix = "data-matrix"
    case ean8 = "ean-8"
    case ean13 = "ean-13"
    /// Interleaved 2 of 5.
    case itf
    case maxiCode = "maxicode"
    case pdf417
    case qrCode = "qr-code"
    case upcA = "upc-a"
    case upcE = "upc-e"
    case microQRCode = "micro-qr-code"

    /// Every kind.
    package static let all = Set(allCases)

    /// Whether it is made of modules in two directions; else it is a row of bars and spaces.
    package var isMatrix: Bool {
        switch self {
        case .aztec, .dataMatrix, .maxiCode, .pdf417, .qrCode, .microQRCode: true
        case .codabar, .code32, .code39, .code93, .code128, .dataBar, .dataBarExpanded, .ean8, .ean13, .itf, .upcA,
            .upcE:
            false
        }
    }
}

/// A place in a picture, pixels.
package struct PicturePoint: Hashable, Sendable {
    package let x: Int
    package let y: Int

    package init(x: Int, y: Int) {
        self.x = x
        self.y = y
    }
}

/// One code that was read.
package struct ReadCode: Equatable, Sendable {
    package let symbology: Symbology
    /// What it says. FNC1 as a separator of GS1 element strings is the character U+001D.
    package let text: String
    /// What it holds, before any character set.
    package let bytes: [UInt8]
    /// Corners of the code in its own orientation: top left, top right, bottom right, bottom left. Of a linear code
    /// at least one scan line.
    package let corners: [PicturePoint]
    package let isMirrored: Bool
    /// Whether its light modules are the dark ones of the picture.
    package let isInverted: Bool
    /// Whether it is marked as GS1 element strings (FNC1 in first place).
    package let isGS1: Bool
    /// AIM symbology identifier (ISO/IEC 15424), e.g. "]d2"; empty where the reader does not tell.
    package let identifier: String
    /// Error correction level, e.g. "H"; empty where there is none or the reader does not tell.
    package let errorCorrection: String
    /// Share of the error correction that was not needed, 0 to 1; nil where the reader does not tell.
    package let unusedErrorCorrection: Double?
    /// Its modules as they were read; nil of linear codes and where the reader does not tell.
    package let modules: Modules?
    /// What read it and how, e.g. "enlarged twice".
    package let reader: String

    /// Modules of a matrix code.
    package struct Modules: Equatable, Sendable {
        package let columns: Int
        package let rows: Int
        /// Row by row.
        package let isDark: [Bool]

        package init(columns: Int, rows: Int, isDark: [Bool]) {
            precondition(isDark.count == columns * rows, "\(isDark.count) modules, \(columns)x\(rows)")
            self.columns = columns
            self.rows = rows
            self.isDark = isDark
        }
    }

    package init(
        symbology: Symbology,
        text: String,
        bytes: [UInt8],
        corners: [PicturePoint],
        isMirrored: Bool = false,
        isInverted: Bool = false,
        isGS1: Bool = false,
        identifier: String = "",
        errorCorrection: String = "",
        unusedErrorCorrection: Double? = nil,
        modules: Modules? = nil,
        reader: String = ""
    ) {
        self.symbology = symbology
        self.text = text
        self.bytes = bytes
        self.corners = corners
        self.isMirrored = isMirrored
        self.isInverted = isInverted
        self.isGS1 = isGS1
        self.identifier = identifier
        self.errorCorrection = errorCorrection
        self.unusedErrorCorrection = unusedErrorCorrection
        self.modules = modules
        self.reader = reader
    }

    /// The same reading in another symbology's words.
    func read(as symbology: Symbology, text: String) -> ReadCode {
        ReadCode(
            symbology: symbology,
            text: text,
            bytes: Array(text.utf8),
            corners: corners,
            isMirrored: isMirrored,
            isGS1: isGS1,
            identifier: identifier,
            errorCorrection: errorCorrection,
            reader: reader
        )
    }

    /// Smallest upright rectangle around the corners, at least one pixel.
    package var box: Box {
        let (xs, ys) = (corners.map(\.x), corners.map(\.y))
        let (left, top) = (xs.min() ?? 0, ys.min() ?? 0)
        return Box(x: left, y: top, width: (xs.max() ?? left) - left + 1, height: (ys.max() ?? top) - top + 1)
    }
}
