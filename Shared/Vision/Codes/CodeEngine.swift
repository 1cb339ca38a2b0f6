import CZXing

/// The zxing-cpp library: one call, no state.
enum CodeEngine {
    /// Most codes of one call.
    private static let maxCodes = 32
    /// Most bytes that the codes of one call may hold together; the largest code there is holds under 8 KiB
    /// and has under 64 KiB of modules.
    private static let maxStorage = 1 << 18

    /// How grey becomes black and white.
    enum Binarizer: Int32 {
        /// Mean of the surroundings.
        case local
        /// Valley of the histogram.
        case global
    }

    /// The codes in a grey picture, in its own pixels. Nothing is read as well where the library gives up with an
    /// exception, as its version 1.4 does on some pictures without a code.
    static func read(
        _ view: CodeView,
        symbologies: Set<Symbology>,
        binarizer: Binarizer,
        reader: String
    ) -> [ReadCode] {
        var codes = [CZXingCode](repeating: CZXingCode(), count: maxCodes)
        var storage = [UInt8](repeating: 0, count: maxStorage)
        var error = [CChar](repeating: 0, count: 256)
        let read = CodeLibrary.shared.read
        let found = view.pixels.withUnsafeBufferPointer { pixels in
            var request = CZXingRequest()
            request.pixels = pixels.baseAddress
            request.width = Int32(view.width)
            request.height = Int32(view.height)
            request.symbologies = symbologies.reduce(0) { $0 | $1.bit }
            request.binarizer = binarizer.rawValue
            request.try_harder = true
            request.try_rotated = true
            request.try_inverted = true
            request.try_reduced = true
            request.min_lines = 2
            return read(&request, &codes, Int32(maxCodes), &storage, maxStorage, &error, error.count)
        }
        return codes.prefix(Int(max(0, found))).compactMap { readCode($0, storage, view, reader) }
            .compactMap { Code32.settle($0, wanted: symbologies) }
    }

    private static func readCode(
        _ code: CZXingCode,
        _ storage: [UInt8],
        _ view: CodeView,
        _ reader: String
    ) -> ReadCode? {
        guard let symbology = Symbology.allCases.first(where: { $0.bit == code.symbology }) else { return nil }
        let x = [code.x.0, code.x.1, code.x.2, code.x.3].map(Int.init)
        let y = [code.y.0, code.y.1, code.y.2, code.y.3].map(Int.init)
        let text = String(decoding: storage[code.text_at..<code.text_at + code.text_count], as: UTF8.self)
        let bytes = Array(storage[code.bytes_at..<code.bytes_at + code.byte_count])
        let element = elementString(symbology, bytes)
        return ReadCode(
            symbology: symbology,
            text: element.map { String(decoding: $0, as: UTF8.self) } ?? text,
            bytes: element ?? bytes,
            corners: (0..<4).map { view.place(PicturePoint(x: x[$0], y: y[$0])) },
            isMirrored: code.is_mirrored,
            isInverted: code.is_inverted,
            isGS1: [.dataBar, .dataBarExpanded].contains(symbology) || code.is_gs1,
            identifier: characters(code.identifier),
            errorCorrection: characters(code.error_correction),
            unusedErrorCorrection: code.unused_error_correction < 0 ? nil : Double(code.unused_error_correction),
            modules: modules(code, storage),
            reader: reader
        )
    }

    private static func modules(_ code: CZXingCode, _ storage: [UInt8]) -> ReadCode.Modules? {
        let (columns, rows) = (Int(code.module_columns), Int(code.module_rows))
        guard columns > 0, rows > 0 else { return nil }
        let isDark = storage[code.modules_at..<code.modules_at + columns * rows].map { $0 != 0 }
        return ReadCode.Modules(columns: columns, rows: rows, isDark: isDark)
    }

    /// What the code holds where the library says it in another way. UPC-A has twelve digits. GS1 DataBar always holds a
    /// GS1 element string; the library leaves the (01) of the plain kind out
    /// and writes the expanded kind with its application identifiers in brackets.
    private static func elementString(_ symbology: Symbology, _ bytes: [UInt8]) -> [UInt8]? {
        switch symbology {
        case .dataBar: bytes.count == 14 ? Array("01".utf8) + bytes : bytes
        case .dataBarExpanded:
            Gs1.elementStrings(ofReadable: String(decoding: bytes, as: UTF8.self)).map { Array($0.utf8) } ?? bytes
        case .upcA: bytes.count == 13 ? Array(bytes.dropFirst()) : nil
        default: nil
        }
    }

    /// Characters up to the NUL of a fixed array.
    private static func characters<Characters>(_ characters: Characters) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

extension Symbology {
    /// Its bit in the library's wrapper.
    fileprivate var bit: UInt32 {
        let value =
            switch self {
            case .aztec: CZXING_AZTEC
            case .codabar: CZXING_CODABAR
            case .code39, .code32: CZXING_CODE39
            case .code93: CZXING_CODE93
            case .code128: CZXING_CODE128
            case .dataBar: CZXING_DATABAR
            case .dataBarExpanded: CZXING_DATABAR_EXPANDED
            case .dataMatrix: CZXING_DATA_MATRIX
            case .ean8: CZXING_EAN8
            case .ean13: CZXING_EAN13
            case .itf: CZXING_ITF
            case .maxiCode: CZXING_MAXICODE
            case .pdf417: CZXING_PDF417
            case .qrCode: CZXING_QR
            case .upcA: CZXING_UPCA
            case .upcE: CZXING_UPCE
            case .microQRCode: CZXING_MICRO_QR
            }
        return UInt32(value)
    }
}
