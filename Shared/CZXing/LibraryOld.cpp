// zxing-cpp 1.4, as Debian 12 has it.

#ifndef CZXING_LIBRARY_3

#define ZX_USE_UTF8 1

#include "Library.h"

#include <ZXing/ReadBarcode.h>
#include <ZXing/ZXVersion.h>

#include <algorithm>

namespace {

constexpr uint32_t all_codes = (1u << 17) - 1;
constexpr uint32_t matrix_codes =
    CZXING_AZTEC | CZXING_DATA_MATRIX | CZXING_MAXICODE | CZXING_PDF417 | CZXING_QR | CZXING_MICRO_QR;
constexpr uint32_t databar_codes = CZXING_DATABAR | CZXING_DATABAR_EXPANDED;

/// Lines of a picture that are looked at for DataBar.
constexpr int databar_lines = 15;

ZXing::DecodeHints hints(const CZXingRequest &request, uint32_t symbologies, int32_t most, int32_t min_lines) {
    ZXing::BarcodeFormats formats;
    for (uint32_t bit = 0; all_codes >> bit; ++bit)
        if (symbologies >> bit & 1) formats |= static_cast<ZXing::BarcodeFormat>(1u << bit);
    return ZXing::DecodeHints()
        .setFormats(formats)
        .setTryHarder(request.try_harder)
        .setTryRotate(request.try_rotated)
        .setTryDownscale(request.try_reduced)
        .setBinarizer(static_cast<ZXing::Binarizer>(request.binarizer))
        .setMinLineCount(static_cast<uint8_t>(min_lines))
        .setMaxNumberOfSymbols(static_cast<uint8_t>(most));
}

library::Code code(const ZXing::Result &result) {
    library::Code code;
    code.facts.symbology = static_cast<uint32_t>(result.format());
    for (int corner = 0; corner < 4; ++corner) {
        code.facts.x[corner] = result.position()[corner].x;
        code.facts.y[corner] = result.position()[corner].y;
    }
    code.facts.lines = result.lineCount();
    code.facts.is_mirrored = result.isMirrored();
    code.facts.is_gs1 = result.contentType() == ZXing::ContentType::GS1;
    code.facts.unused_error_correction = -1;
    code.text = result.text();
    code.bytes.assign(result.bytes().begin(), result.bytes().end());
    code.identifier = result.symbologyIdentifier();
    code.error_correction = result.ecLevel();
    return code;
}

/// DataBar, one line of the picture at a time. Debian's build ends the process by an assertion where it compares
/// linear codes of one picture of which one was seen on several lines (Result.cpp:140), and DataBar counts for several
/// from the first; where there is only one line, nothing is compared. Stacked DataBar is not read so.
void read_databar(const CZXingRequest &request, int32_t capacity, std::vector<library::Code> &codes) {
    const auto options = hints(request, request.symbologies & databar_codes, 1, 1).setTryRotate(false);
    for (int turned = 0; turned <= (request.try_rotated ? 1 : 0); ++turned) {
        const int length = turned ? request.height : request.width, lines = turned ? request.width : request.height;
        const int pixel_step = turned ? request.width : 1, line_step = turned ? 1 : request.width;
        for (int index = 1; index <= std::min(databar_lines, lines); ++index) {
            const int line = lines * index / (std::min(databar_lines, lines) + 1);
            const uint8_t *start = request.pixels + static_cast<size_t>(line) * line_step;
            std::vector<uint8_t> pixels(static_cast<size_t>(length));
            for (int at = 0; at < length; ++at) pixels[at] = start[static_cast<size_t>(at) * pixel_step];
            for (int reversed = 0; reversed < 2; ++reversed) {
                const ZXing::ImageView view(pixels.data(), length, 1, ZXing::ImageFormat::Lum);
                for (const ZXing::Result &result : ZXing::ReadBarcodes(view, options)) {
                    if (!result.isValid() || static_cast<int32_t>(codes.size()) >= capacity) continue;
                    codes.push_back(code(result));
                    CZXingCode &facts = codes.back().facts;
                    for (int corner = 0; corner < 4; ++corner) {
                        const int along = reversed ? length - 1 - facts.x[corner] : facts.x[corner];
                        facts.x[corner] = turned ? line : along;
                        facts.y[corner] = turned ? along : line;
                    }
                    return;
                }
                std::reverse(pixels.begin(), pixels.end());
            }
        }
    }
}

}  // namespace

const char *library::version() {
    static const std::string text = "zxing-cpp " + std::to_string(ZXING_VERSION_MAJOR) + "." +
                                    std::to_string(ZXING_VERSION_MINOR) + "." + std::to_string(ZXING_VERSION_PATCH);
    return text.c_str();
}

std::vector<library::Code> library::read(const CZXingRequest &request, int32_t capacity) {
    std::vector<Code> codes;
    const ZXing::ImageView view(request.pixels, request.width, request.height, ZXing::ImageFormat::Lum);
    const auto pass = [&](uint32_t symbologies, int32_t most) {
        if (symbologies == 0 || static_cast<int32_t>(codes.size()) >= capacity) return;
        const auto options = hints(request, symbologies, most, request.min_lines);
        for (const ZXing::Result &result : ZXing::ReadBarcodes(view, options))
            if (result.isValid()) codes.push_back(code(result));
    };
    // One linear code at most, so that the library compares none (see read_databar).
    pass(request.symbologies & matrix_codes, capacity);
    pass(request.symbologies & all_codes & ~(matrix_codes | databar_codes), 1);
    if (request.symbologies & databar_codes) read_databar(request, capacity, codes);
    return codes;
}

#endif
