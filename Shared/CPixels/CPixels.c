#include "CPixels.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))
#endif

// Wide vectors are passed between inlined functions only.
#pragma GCC diagnostic ignored "-Wpsabi"

#define INLINE static inline __attribute__((always_inline))

// The plain loops. They are compiled once more for AVX2, where the compiler makes wider vectors of them.

INLINE void grey(const uint8_t *restrict rgb, uint8_t *restrict out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const uint16_t sum = (uint16_t)(77 * rgb[3 * i] + 150 * rgb[3 * i + 1] + 29 * rgb[3 * i + 2] + 128);
        out[i] = (uint8_t)(sum >> 8);
    }
}

typedef uint8_t Eight8 __attribute__((vector_size(8)));
typedef uint16_t Eight16 __attribute__((vector_size(16)));
typedef uint32_t Eight32 __attribute__((vector_size(32)));

// A pixel in the low byte and its right neighbour in the high one.
INLINE uint16_t pair(const uint8_t *pixel) { return (uint16_t)(pixel[0] | pixel[1] << 8); }

// The weights of the right or lower neighbours.
INLINE Eight16 weights(Eight32 fractions) { return __builtin_convertvector(fractions >> 25, Eight16); }

INLINE void sample(
    const uint8_t *pixels, size_t width, PixelPlace place, PixelPlace step, uint8_t *restrict out, size_t count
) {
    const Eight32 ahead = {0, 1, 2, 3, 4, 5, 6, 7};
    int64_t x = place.x, y = place.y;
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        Eight16 upper, lower;
        const Eight16 right = weights((uint32_t)x + ahead * (uint32_t)step.x);
        const Eight16 down = weights((uint32_t)y + ahead * (uint32_t)step.y);
#pragma clang loop unroll(full)
        for (size_t k = 0; k < 8; k++) {
            const uint8_t *at = pixels + (y >> 32) * (int64_t)width + (x >> 32);
            upper[k] = pair(at);
            lower[k] = pair(at + width);
            x += step.x;
            y += step.y;
        }
        // At most 255 * 128: the differences, which may be negative, are right modulo 2^16.
        const Eight16 above = (upper & 255) * 128 + ((upper >> 8) - (upper & 255)) * right;
        const Eight16 below = (lower & 255) * 128 + ((lower >> 8) - (lower & 255)) * right;
        const Eight32 sum = __builtin_convertvector(above, Eight32) * __builtin_convertvector(128 - down, Eight32)
            + __builtin_convertvector(below, Eight32) * __builtin_convertvector(down, Eight32);
        const Eight8 bytes = __builtin_convertvector((sum + 8192) >> 14, Eight8);
        memcpy(out + i, &bytes, sizeof bytes);
    }
    for (; i < count; i++) {
        const uint8_t *at = pixels + (y >> 32) * (int64_t)width + (x >> 32);
        const int32_t right = (int32_t)(x >> 25 & 127), down = (int32_t)(y >> 25 & 127);
        const int32_t above = at[0] * (128 - right) + at[1] * right;
        const int32_t below = at[width] * (128 - right) + at[width + 1] * right;
        out[i] = (uint8_t)((above * (128 - down) + below * down + 8192) >> 14);
        x += step.x;
        y += step.y;
    }
}

INLINE uint32_t difference(const uint8_t *restrict left, const uint8_t *restrict right, size_t count) {
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t difference = (int32_t)left[i] - (int32_t)right[i];
        sum += (uint32_t)(difference < 0 ? -difference : difference);
    }
    return sum;
}

// Sets the bits of the words from `first` on. A multiplication moves the low bits of eight bytes side by side.
INLINE void bits(const uint8_t *pixels, size_t first, size_t count, uint8_t level, uint64_t *out) {
    for (size_t x = first * 64; x < count; x += 64) {
        const size_t some = count - x < 64 ? count - x : 64;
        uint8_t flags[64] = {0};
        for (size_t i = 0; i < some; i++) flags[i] = pixels[x + i] >= level;
        uint64_t word = 0;
        for (size_t i = 0; i < 64; i += 8) {
            uint64_t bytes;
            memcpy(&bytes, flags + i, sizeof bytes);
            word |= bytes * 0x0102040810204080 >> 56 << i;
        }
        out[x / 64] = word;
    }
}

typedef uint64_t Words __attribute__((vector_size(32)));

INLINE Words loaded(const uint64_t *words) {
    Words value;
    memcpy(&value, words, sizeof value);
    return value;
}

INLINE Words sums(Words value, unsigned shift, uint64_t mask) { return (value & mask) + (value >> shift & mask); }

// Adds bits of one weight: what stays of them, and those of the next weight.
INLINE Words added(Words a, Words b, Words c, Words *carry) {
    const Words one = a ^ b;
    *carry = (a & b) | (one & c);
    return one ^ c;
}

INLINE void differing(
    const uint64_t *part, size_t part_stride, const uint64_t *golden, size_t golden_stride, unsigned shift,
    const uint64_t *known, size_t rows, uint16_t *counts
) {
    Words row[16] = {{0}};
    const Words seen = loaded(known);
    for (size_t y = 0; y < rows; y++) {
        const uint64_t *at = golden + y * golden_stride;
        const Words moved = loaded(at) << shift | loaded(at - 1) >> 1 >> (63 - shift);
        row[y] = (loaded(part + y * part_stride) ^ moved) & seen;
    }
    // The 16 bits of a column become the five bits of their number (Harley and Seal).
    Words twos[8], fours[4], eights[2], carry;
    Words ones = added(row[0], row[1], row[2], &twos[0]);
    for (size_t i = 1; i < 7; i++) ones = added(ones, row[2 * i + 1], row[2 * i + 2], &twos[i]);
    twos[7] = ones & row[15];
    ones ^= row[15];
    Words two = added(twos[0], twos[1], twos[2], &fours[0]);
    for (size_t i = 1; i < 3; i++) two = added(two, twos[2 * i + 1], twos[2 * i + 2], &fours[i]);
    fours[3] = two & twos[7];
    two ^= twos[7];
    Words four = added(fours[0], fours[1], fours[2], &eights[0]);
    eights[1] = four & fours[3];
    four ^= fours[3];
    const Words eight = eights[0] ^ eights[1];
    carry = eights[0] & eights[1];
    const uint64_t pairs = 0x5555555555555555, quads = 0x3333333333333333, bytes = 0x0F0F0F0F0F0F0F0F;
    const Words few = sums(sums(ones, 1, pairs), 2, quads) + 2 * sums(sums(two, 1, pairs), 2, quads);
    const Words many = sums(sums(four, 1, pairs), 2, quads) + 2 * sums(sums(eight, 1, pairs), 2, quads);
    const Words all = sums(sums(carry, 1, pairs), 2, quads);
    const Words total = sums(few, 4, bytes) + 4 * sums(many, 4, bytes) + 16 * sums(all, 4, bytes);
    const Words tiles = sums(total, 8, 0x00FF00FF00FF00FF);
    memcpy(counts, &tiles, sizeof tiles);
}

#define VARIANT(NAME, TARGET)                                                                                         \
    TARGET static void grey_##NAME(const uint8_t *rgb, uint8_t *out, size_t count) { grey(rgb, out, count); }         \
    TARGET static void sample_##NAME(                                                                                 \
        const uint8_t *pixels, size_t width, PixelPlace place, PixelPlace step, uint8_t *out, size_t count            \
    ) {                                                                                                               \
        sample(pixels, width, place, step, out, count);                                                               \
    }                                                                                                                 \
    TARGET static void differing_##NAME(                                                                              \
        const uint64_t *part, size_t part_stride, const uint64_t *golden, size_t golden_stride, unsigned shift,   \
        const uint64_t *known, size_t rows, uint16_t *counts                                                          \
    ) {                                                                                                               \
        differing(part, part_stride, golden, golden_stride, shift, known, rows, counts);                          \
    }

VARIANT(plain, )

static uint32_t difference_plain(const uint8_t *left, const uint8_t *right, size_t count) {
    return difference(left, right, count);
}

static void bits_plain(const uint8_t *pixels, size_t count, uint8_t level, uint64_t *out) {
    bits(pixels, 0, count, level, out);
}

static const PixelLoopSet plain = {
    "plain", grey_plain, sample_plain, difference_plain, bits_plain, differing_plain,
};

const PixelLoopSet *pixels_plain(void) { return &plain; }

#if defined(__x86_64__)

VARIANT(avx2, AVX2)

AVX2 static uint32_t difference_avx2(const uint8_t *left, const uint8_t *right, size_t count) {
    __m256i even = _mm256_setzero_si256(), odd = even;
    size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const __m256i *a = (const __m256i *)(left + i), *b = (const __m256i *)(right + i);
        even = _mm256_add_epi64(even, _mm256_sad_epu8(_mm256_loadu_si256(a), _mm256_loadu_si256(b)));
        odd = _mm256_add_epi64(odd, _mm256_sad_epu8(_mm256_loadu_si256(a + 1), _mm256_loadu_si256(b + 1)));
    }
    const __m256i all = _mm256_add_epi64(even, odd);
    const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    const uint64_t sum = (uint64_t)_mm_cvtsi128_si64(half) + (uint64_t)_mm_extract_epi64(half, 1);
    return (uint32_t)sum + difference(left + i, right + i, count - i);
}

AVX2 static void bits_avx2(const uint8_t *pixels, size_t count, uint8_t level, uint64_t *out) {
    const __m256i least = _mm256_set1_epi8((char)level);
    size_t x = 0;
    for (; x + 64 <= count; x += 64) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(pixels + x));
        const __m256i b = _mm256_loadu_si256((const __m256i *)(pixels + x + 32));
        const uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(a, least), a));
        const uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(b, least), b));
        out[x / 64] = low | (uint64_t)high << 32;
    }
    bits(pixels, x / 64, count, level, out);
}

static const PixelLoopSet avx2 = {
    "AVX2", grey_avx2, sample_avx2, difference_avx2, bits_avx2, differing_avx2,
};

const PixelLoopSet *pixels_best(void) { return __builtin_cpu_supports("avx2") ? &avx2 : &plain; }

#else

const PixelLoopSet *pixels_best(void) { return &plain; }

#endif
