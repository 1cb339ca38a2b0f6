// zxing-cpp 3, as deploy/codes/install builds it.

#ifdef CZXING_LIBRARY_3

#include "Library.h"

#include <ZXing/ReadBarcode.h>

#include <cstdlib>

namespace {

using ZXing::BarcodeFormat;

struct Format {
    uint32_t bit;
    BarcodeFormat format;
};

/// What is asked for by each bit. Code 39 as it is: neither its full ASCII nor its pharmaceutical readings.
constexpr Format formats[] = {
    {CZXING_AZTEC, BarcodeFormat::Aztec},
    {CZXING_CODABAR, BarcodeFormat::Codabar},
    {CZXING_CODE39, BarcodeFormat::Code39Std},
    {CZXING_CODE93, BarcodeFormat::Code93},
    {CZXING_CODE128, BarcodeFormat::Code128},
    {CZXING_DATABAR_EXPANDED, BarcodeFormat::DataBarExp},
    {CZXING_DATABAR_EXPANDED, BarcodeFormat::DataBarExpStk},
    {CZXING_DATABAR, BarcodeFormat::DataBarOmni},
    {CZXING_DATABAR, BarcodeFormat::DataBarStk},
    {CZXING_DATABAR, BarcodeFormat::DataBarStkOmni},
    {CZXING_DATABAR, BarcodeFormat::DataBarLtd},
    {CZXING_DATA_MATRIX, BarcodeFormat::DataMatrix},
    {CZXING_EAN8, BarcodeFormat::EAN8},
    {CZXING_EAN13, BarcodeFormat::EAN13},
    {CZXING_ITF, BarcodeFormat::ITF},
    {CZXING_MAXICODE, BarcodeFormat::MaxiCode},
    {CZXING_PDF417, BarcodeFormat::PDF417},
    {CZXING_MICRO_QR, BarcodeFormat::MicroQRCode},
    {CZXING_MICRO_QR, BarcodeFormat::RMQRCode},
    {CZXING_QR, BarcodeFormat::QRCode},
    {CZXING_UPCA, BarcodeFormat::UPCA},
    {CZXING_UPCE, BarcodeFormat::UPCE},
};

uint32_t bit(BarcodeFormat format) {
    if (format == BarcodeFormat::Code39) return CZXING_CODE39;
    for (const Format &known : formats)
        if (format <= known.format) return known.bit;
    return 0;
}

ZXing::ReaderOptions options(const CZXingRequest &request, int32_t capacity) {
    std::vector<BarcodeFormat> wanted;
    for (const Format &known : formats)
        if (request.symbologies & known.bit) wanted.push_back(known.format);
    return ZXing::ReaderOptions()
        .formats(ZXing::BarcodeFormats(std::move(wanted)))
        .tryHarder(request.try_harder)
        .tryRotate(request.try_rotated)
        .tryInvert(request.try_inverted)
        .tryDownscale(request.try_reduced)
        .binarizer(static_cast<ZXing::Binarizer>(request.binarizer))
        .minLineCount(static_cast<uint8_t>(request.min_lines))
        .maxNumberOfSymbols(static_cast<uint8_t>(capacity));
}

library::Code code(const ZXing::Barcode &barcode) {
    library::Code code;
    code.facts.symbology = bit(barcode.format());
    for (int corner = 0; corner < 4; ++corner) {
        code.facts.x[corner] = barcode.position()[corner].x;
        code.facts.y[corner] = barcode.position()[corner].y;
    }
    code.facts.lines = barcode.lineCount();
    code.facts.is_mirrored = barcode.isMirrored();
    code.facts.is_inverted = barcode.isInverted();
    code.facts.is_gs1 = barcode.contentType() == ZXing::ContentType::GS1;
    const std::string unused = barcode.extra(ZXing::BarcodeExtra::UEC);
    code.facts.unused_error_correction = unused.empty() ? -1 : std::atof(unused.c_str());
    const ZXing::ImageView symbol = barcode.symbol();
    if (symbol.data() && symbol.width() > 0 && symbol.width() <= 256 && symbol.height() <= 256) {
        code.facts.module_columns = symbol.width();
        code.facts.module_rows = symbol.height();
        for (int y = 0; y < symbol.height(); ++y)
            for (int x = 0; x < symbol.width(); ++x) code.modules.push_back(*symbol.data(x, y) == 0);
    }
    code.text = barcode.text(ZXing::TextMode::Plain);
    code.bytes = barcode.bytes();
    code.identifier = barcode.symbologyIdentifier();
    code.error_correction = barcode.extra(ZXing::BarcodeExtra::ECLevel);
    return code;
}

}  // namespace

const char *library::version() { return "zxing-cpp " ZXING_VERSION_STR; }

std::vector<library::Code> library::read(const CZXingRequest &request, int32_t capacity) {
    std::vector<Code> codes;
    if ((request.symbologies & CZXING_ALL) == 0) return codes;
    const ZXing::ImageView view(request.pixels, request.width, request.height, ZXing::ImageFormat::Lum);
    for (const ZXing::Barcode &barcode : ZXing::ReadBarcodes(view, options(request, capacity)))
        if (barcode.isValid() && bit(barcode.format()) != 0) codes.push_back(code(barcode));
    return codes;
}

#endif
