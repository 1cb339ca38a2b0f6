// 1-D and 2-D codes read by zxing-cpp: one call, plain C, all memory the caller's.

#ifndef CZXING_H
#define CZXING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/// Symbologies, one bit each.
enum {
    CZXING_AZTEC = 1 << 0,
    CZXING_CODABAR = 1 << 1,
    CZXING_CODE39 = 1 << 2,
    CZXING_CODE93 = 1 << 3,
    CZXING_CODE128 = 1 << 4,
    CZXING_DATABAR = 1 << 5,
    CZXING_DATABAR_EXPANDED = 1 << 6,
    CZXING_DATA_MATRIX = 1 << 7,
    CZXING_EAN8 = 1 << 8,
    CZXING_EAN13 = 1 << 9,
    CZXING_ITF = 1 << 10,
    CZXING_MAXICODE = 1 << 11,
    CZXING_PDF417 = 1 << 12,
    CZXING_QR = 1 << 13,
    CZXING_UPCA = 1 << 14,
    CZXING_UPCE = 1 << 15,
    CZXING_MICRO_QR = 1 << 16,
    CZXING_ALL = (1 << 17) - 1,
};

/// Longest side of a picture, pixels.
enum { CZXING_MAX_SIDE = 65535 };

/// How grey becomes black and white.
enum {
    /// Mean of the surroundings; linear codes: as the next.
    CZXING_LOCAL_AVERAGE = 0,
    /// Valley of the histogram, of each line for linear codes.
    CZXING_GLOBAL_HISTOGRAM = 1,
    /// Black up to 127.
    CZXING_FIXED_THRESHOLD = 2,
};

typedef struct {
    /// One byte a pixel, rows without gaps: width * height bytes.
    const uint8_t *pixels;
    int32_t width;
    int32_t height;
    /// Bits of the symbologies looked for; 0 finds nothing.
    uint32_t symbologies;
    int32_t binarizer;
    /// Spend more time for more reads.
    bool try_harder;
    /// Look at the picture turned by 90, 180 and 270 degrees too.
    bool try_rotated;
    /// Look at the picture with light and dark exchanged too; version 1.4 does not.
    bool try_inverted;
    /// Look at the picture reduced to a third as well.
    bool try_reduced;
    /// Scan lines that must agree on a linear code, 1 to 255; version 1.4 reads DataBar from one.
    int32_t min_lines;
} CZXingRequest;

typedef struct {
    /// One bit of the symbologies.
    uint32_t symbology;
    /// Corners as the code itself has them: top left, top right, bottom right, bottom left; pixels.
    int32_t x[4];
    int32_t y[4];
    /// Text in UTF-8 and the bytes that the code holds, both in the caller's storage.
    size_t text_at;
    size_t text_count;
    size_t bytes_at;
    size_t byte_count;
    /// The modules of a matrix code, row by row, one byte each, 1 for dark; 0 columns where the library does not tell.
    size_t modules_at;
    int32_t module_columns;
    int32_t module_rows;
    /// Share of the error correction that was not needed, 0 to 1; -1 where the library does not tell.
    float unused_error_correction;
    /// Scan lines that agreed; linear codes only, else 0.
    int32_t lines;
    bool is_mirrored;
    bool is_inverted;
    bool is_gs1;
    /// AIM symbology identifier, e.g. "]d2", and error correction level, e.g. "H"; NUL at the end.
    char identifier[8];
    char error_correction[8];
} CZXingCode;

/// Reads at most `capacity` codes (version 1.4 at most one linear one and one DataBar); what they hold goes into
/// `storage`, codes that do not fit are left out.
/// Returns the number of codes, or -1 with a text in `error` (NUL at the end, cut to `error_capacity`).
/// Keeps nothing between calls: any number of threads may call it at once.
int32_t czxing_read(
    const CZXingRequest *request,
    CZXingCode *codes,
    int32_t capacity,
    uint8_t *storage,
    size_t storage_capacity,
    char *error,
    size_t error_capacity
);

/// Name and version of the library; example "zxing-cpp 1.4.0". Never freed.
const char *czxing_version(void);

/// Raised with every change of this header.
enum { CZXING_ABI = 1 };
int32_t czxing_abi(void);

/// The functions above in another library, made of the same sources (deploy/codes/install).
typedef struct {
    int32_t (*read)(
        const CZXingRequest *request,
        CZXingCode *codes,
        int32_t capacity,
        uint8_t *storage,
        size_t storage_capacity,
        char *error,
        size_t error_capacity
    );
    const char *version;
} CZXingLibrary;

/// Loads it and keeps it for ever; false with a text in `error` where it cannot be had.
bool czxing_open(const char *path, CZXingLibrary *library, char *error, size_t error_capacity);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
