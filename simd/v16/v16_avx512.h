/* v16_avx512.h - the virtual vector as one __m512 (AVX-512 F, BW, VL, DQ). */
#ifndef TFM_SIMD_V16_V16_AVX512_H
#define TFM_SIMD_V16_V16_AVX512_H

/* The tests run this source on processors without AVX-512 through an emulation of its intrinsics. */
#if defined(TFM_V16_EMULATED)
#include TFM_V16_EMULATED
#else
#include <immintrin.h>
#endif

#include "v16_transpose_ymm.h"

#define V16_ISA avx512

/* 12 x 2 fills 24 of 32 registers; fewer rows take more panels, so that about 8 chains hide the latency of an FMA. */
#define V16_TILE_ROWS 12
#define V16_TILES(X)                                                                                                   \
    X(1, 1) X(1, 8) X(2, 1) X(2, 4) X(3, 1) X(3, 4) X(4, 1) X(4, 4) X(6, 1) X(6, 2) X(8, 1) X(8, 2) X(12, 1) X(12, 2)
#define V16_WIDE                                                                                                       \
    { [1] = 8, [2] = 4, [3] = 4, [4] = 4, [6] = 2, [8] = 2, [12] = 2 }
#define V16_ROW_PANELS 8
#define V16_PREFETCH 256 /* elements to fetch ahead, shared by the panels of a tile */

typedef __m512 v16;

V16_INLINE __mmask16 v16_mask(size_t n) { return (__mmask16)(((uint32_t)1 << n) - 1); }
V16_INLINE v16 v16_set(float s) { return _mm512_set1_ps(s); }
V16_INLINE v16 v16_load(const float *p) { return _mm512_loadu_ps(p); }
V16_INLINE void v16_store(float *p, v16 x) { _mm512_storeu_ps(p, x); }
/* Masked loads and stores do not touch memory under zero lanes. */
V16_INLINE v16 v16_load_partial(const float *p, size_t n) { return _mm512_maskz_loadu_ps(v16_mask(n), p); }
V16_INLINE void v16_store_partial(float *p, v16 x, size_t n) { _mm512_mask_storeu_ps(p, v16_mask(n), x); }
V16_INLINE v16 v16_load_f16(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
V16_INLINE v16 v16_load_bf16(const uint16_t *p) {
    __m512i h = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(h, 16));
}
V16_INLINE v16 v16_load_i8(const int8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
V16_INLINE void v16_store_f16(uint16_t *p, v16 x) {
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
V16_INLINE void v16_store_i8(int8_t *p, v16 x) {
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}
V16_INLINE v16 v16_add(v16 x, v16 y) { return _mm512_add_ps(x, y); }
V16_INLINE v16 v16_sub(v16 x, v16 y) { return _mm512_sub_ps(x, y); }
V16_INLINE v16 v16_mul(v16 x, v16 y) { return _mm512_mul_ps(x, y); }
V16_INLINE v16 v16_div(v16 x, v16 y) { return _mm512_div_ps(x, y); }
V16_INLINE v16 v16_fma(v16 x, v16 y, v16 z) { return _mm512_fmadd_ps(x, y, z); }
V16_INLINE v16 v16_max(v16 x, v16 y) { return _mm512_max_ps(x, y); }
V16_INLINE v16 v16_min(v16 x, v16 y) { return _mm512_min_ps(x, y); }
V16_INLINE v16 v16_select_lt(v16 p, v16 q, v16 x, v16 y) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(p, q, _CMP_LT_OQ), y, x);
}
V16_INLINE v16 v16_first(size_t n, v16 x, v16 y) { return _mm512_mask_blend_ps(v16_mask(n), y, x); }
V16_INLINE uint32_t v16_gt_mask(v16 x, v16 y) { return _mm512_cmp_ps_mask(x, y, _CMP_GT_OQ); }
V16_INLINE v16 v16_copysign(v16 x, v16 sign) {
    __m512 s = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(s, x), _mm512_and_ps(s, sign));
}
V16_INLINE v16 v16_add_exponent(v16 p, v16 t) {
    __m512i shift = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), shift));
}
V16_INLINE float v16_reduce_add(v16 x) {
    __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}
V16_INLINE float v16_reduce_max(v16 x) {
    __m256 s8 = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_max_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}
V16_INLINE int32_t v16_store_bytes(int8_t *q, v16 a, v16 b) {
    __m512i x = _mm512_cvtps_epi32(a), y = _mm512_cvtps_epi32(b), s16 = _mm512_add_epi32(x, y);
    _mm_storeu_si128((__m128i *)(void *)q, _mm512_cvtepi32_epi8(x));
    _mm_storeu_si128((__m128i *)(void *)(q + 16), _mm512_cvtepi32_epi8(y));
    __m256i s8 = _mm256_add_epi32(_mm512_castsi512_si256(s16), _mm512_extracti64x4_epi64(s16, 1));
    __m128i s4 = _mm_add_epi32(_mm256_castsi256_si128(s8), _mm256_extracti128_si256(s8, 1));
    __m128i s2 = _mm_add_epi32(s4, _mm_unpackhi_epi64(s4, s4));
    return _mm_cvtsi128_si32(s2) + _mm_extract_epi32(s2, 1);
}

#endif
