/*
 * emulated_avx512.h - AVX-512 intrinsics through SIMDe, so that the AVX-512 source runs, and its bits are compared, on
 * processors without it. Needs AVX2, FMA and F16C: each half of a vector is formed from them.
 */
#ifndef TFM_TESTS_SIMD_EMULATED_AVX512_H
#define TFM_TESTS_SIMD_EMULATED_AVX512_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <immintrin.h>
#include <simde/x86/avx512.h>

/* Those that SIMDe 0.7.4 lacks; the names are taken by the compiler's own, hence the macros. */
typedef union emulated_m512 {
    __m512 v;
    __m512i i;
    __m256 half[2];
    __m256i half_i[2];
    float x[16];
} emulated_m512;

static inline __attribute__((always_inline)) __m512 emulated_maskz_loadu_ps(uint16_t mask, const float *p) {
    emulated_m512 r;
    for (int i = 0; i < 16; i++) r.x[i] = mask >> i & 1 ? p[i] : 0.0f;
    return r.v;
}

static inline __attribute__((always_inline)) void emulated_mask_storeu_ps(float *p, uint16_t mask, __m512 v) {
    emulated_m512 r = {.v = v};
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1) p[i] = r.x[i];
}

static inline __attribute__((always_inline)) __m512i emulated_cvtepu16_epi32(__m256i h) {
    emulated_m512 r;
    r.half_i[0] = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(h));
    r.half_i[1] = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(h, 1));
    return r.i;
}

static inline __attribute__((always_inline)) __m512 emulated_cvtph_ps(__m256i h) {
    emulated_m512 r;
    r.half[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(h));
    r.half[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(h, 1));
    return r.v;
}

static inline __attribute__((always_inline)) __m256 emulated_extractf32x8_ps(__m512 v, int index) {
    emulated_m512 r = {.v = v};
    return r.half[index];
}

static inline __attribute__((always_inline)) __m256i emulated_cvtps_ph(__m512 v, int rounding) {
    emulated_m512 r = {.v = v};
    (void)rounding; /* to nearest, as it is always called */
    return _mm256_set_m128i(_mm256_cvtps_ph(r.half[1], _MM_FROUND_TO_NEAREST_INT),
                            _mm256_cvtps_ph(r.half[0], _MM_FROUND_TO_NEAREST_INT));
}

static inline __attribute__((always_inline)) __m512i emulated_cvtepi8_epi32(__m128i q) {
    emulated_m512 r;
    r.half_i[0] = _mm256_cvtepi8_epi32(q);
    r.half_i[1] = _mm256_cvtepi8_epi32(_mm_unpackhi_epi64(q, q));
    return r.i;
}

static inline __attribute__((always_inline)) __m512 emulated_cvtepi32_ps(__m512i v) {
    emulated_m512 r = {.i = v};
    r.half[0] = _mm256_cvtepi32_ps(r.half_i[0]);
    r.half[1] = _mm256_cvtepi32_ps(r.half_i[1]);
    return r.v;
}

static inline __attribute__((always_inline)) __m512i emulated_cvtps_epi32(__m512 v) {
    emulated_m512 r = {.v = v};
    r.half_i[0] = _mm256_cvtps_epi32(r.half[0]);
    r.half_i[1] = _mm256_cvtps_epi32(r.half[1]);
    return r.i;
}

static inline __attribute__((always_inline)) __m128i emulated_cvtepi32_epi8(__m512i v) {
    union {
        __m128i q;
        int8_t x[16];
    } r;
    const union {
        __m512i v;
        int32_t x[16];
    } from = {.v = v};
    for (int i = 0; i < 16; i++) r.x[i] = (int8_t)from.x[i];
    return r.q;
}

/* The sum of four products of unsigned and signed bytes, added to each lane; wraps. */
static inline __attribute__((always_inline)) __m512i emulated_dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
    union {
        __m512i v;
        uint32_t sum[16];
        uint8_t u[64];
        int8_t s[64];
    } r = {.v = sum}, x = {.v = a}, y = {.v = b};
    for (int i = 0; i < 64; i++) r.sum[i / 4] += (uint32_t)(x.u[i] * y.s[i]);
    return r.v;
}

#undef _mm512_maskz_loadu_ps
#undef _mm512_mask_storeu_ps
#undef _mm512_cvtepu16_epi32
#undef _mm512_cvtph_ps
#undef _mm512_dpbusd_epi32
#undef _mm512_extractf32x8_ps
/* SIMDe's alias has the arguments of another intrinsic. */
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 simde_mm512_madd_epi16
#undef _mm512_cvtps_ph
#undef _mm512_cvtepi8_epi32
#undef _mm512_cvtepi32_ps
#undef _mm512_cvtps_epi32
#undef _mm512_cvtepi32_epi8
#define _mm512_cvtps_ph emulated_cvtps_ph
#define _mm512_cvtepi8_epi32 emulated_cvtepi8_epi32
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#define _mm512_cvtps_epi32 emulated_cvtps_epi32
#define _mm512_cvtepi32_epi8 emulated_cvtepi32_epi8
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
#define _mm512_cvtepu16_epi32 emulated_cvtepu16_epi32
#define _mm512_cvtph_ps emulated_cvtph_ps
#define _mm512_dpbusd_epi32 emulated_dpbusd_epi32
#define _mm512_extractf32x8_ps emulated_extractf32x8_ps

#endif
