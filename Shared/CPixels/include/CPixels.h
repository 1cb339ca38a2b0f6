// The few loops over pixels that gain most from wider vectors than the compiler may assume, once plainly and once for
// AVX2. Integers only: every variant gives the same bits.

#ifndef CPIXELS_H
#define CPIXELS_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// A place in a picture, or a step from place to place, in pixels: 32 fractional bits.
typedef struct {
    int64_t x;
    int64_t y;
} PixelPlace;

/// One way to do each loop.
typedef struct {
    const char *name;

    /// Luma (77 R + 150 G + 29 B + 128) / 256 of `count` pixels of three bytes.
    void (*grey)(const uint8_t *rgb, uint8_t *out, size_t count);

    /// Bilinear samples, weights of 7 bits, of a grey picture at `place`, `place + step`, … Every place and its
    /// neighbours right and below are pixels.
    void (*sample)(
        const uint8_t *pixels, size_t width, PixelPlace place, PixelPlace step, uint8_t *out, size_t count
    );

    /// Sum of |left - right| over `count` bytes, at most 2^24.
    uint32_t (*difference)(const uint8_t *left, const uint8_t *right, size_t count);

    /// Bit `x % 64` of word `x / 64` is 1 where pixel `x` is at least `level`; bits from `count` on are 0.
    void (*bits)(const uint8_t *pixels, size_t count, uint8_t level, uint64_t *out);

    /// Bits in which up to 16 rows of four words differ from those of a template that is moved right by `shift` bits,
    /// 0 to 63, counted where `known` is 1: 16 counts, one for each 16 columns. The word before the template's first is
    /// read too.
    void (*differing)(
        const uint64_t *part, size_t part_stride, const uint64_t *golden, size_t golden_stride, unsigned shift,
        const uint64_t *known, size_t rows, uint16_t *counts
    );
} PixelLoopSet;

/// The loops for any processor.
const PixelLoopSet *pixels_plain(void);

/// The loops for this processor.
const PixelLoopSet *pixels_best(void);

#pragma clang assume_nonnull end

#endif
