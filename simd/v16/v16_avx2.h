/* v16_avx2.h - the virtual vector as two __m256 (AVX2, FMA, F16C). */
#ifndef TFM_SIMD_V16_V16_AVX2_H
#define TFM_SIMD_V16_V16_AVX2_H

#include <immintrin.h>

#include "v16_transpose_ymm.h"

#define V16_ISA avx2

/*
 * 6 x 1 fills 12 of 16 registers; fewer rows take more panels, so that about 8 chains hide the latency of an FMA. Some
 * accumulators of 4 x 2 leave the registers: it is for f32 weights in memory, which two streams bring faster than one.
 */
#define V16_TILE_ROWS 6
#define V16_TILES(X) X(1, 1) X(1, 4) X(2, 1) X(2, 2) X(3, 1) X(3, 2) X(4, 1) X(4, 2) X(5, 1) X(6, 1)
#define V16_WIDE                                                                                                       \
    { [1] = 4, [2] = 2, [3] = 2, [4] = 1, [5] = 1, [6] = 1 }
#define V16_ROW_PANELS 4
#define V16_LARGE_ROWS 4
#define V16_LARGE_PANELS 2
#define V16_PREFETCH 512 /* elements to fetch ahead, shared by the panels of a tile */

typedef struct v16 {
    __m256 a, b;
} v16;

V16_INLINE v16 v16_pair(__m256 a, __m256 b) { return (v16){a, b}; }
/* Lane mask of the first n lanes. */
V16_INLINE void v16_mask(size_t n, __m256i *a, __m256i *b) {
    static const int32_t ones_then_zeros[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    const int32_t *p = ones_then_zeros + 16 - n;
    *a = _mm256_loadu_si256((const __m256i *)(const void *)p);
    *b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 8));
}
V16_INLINE v16 v16_set(float s) { return v16_pair(_mm256_set1_ps(s), _mm256_set1_ps(s)); }
V16_INLINE v16 v16_load(const float *p) { return v16_pair(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)); }
V16_INLINE void v16_store(float *p, v16 x) {
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}
/* Masked loads and stores do not touch memory under zero lanes. */
V16_INLINE v16 v16_load_partial(const float *p, size_t n) {
    __m256i a, b;
    v16_mask(n, &a, &b);
    return v16_pair(_mm256_maskload_ps(p, a), n > 8 ? _mm256_maskload_ps(p + 8, b) : _mm256_setzero_ps());
}
V16_INLINE void v16_store_partial(float *p, v16 x, size_t n) {
    __m256i a, b;
    v16_mask(n, &a, &b);
    _mm256_maskstore_ps(p, a, x.a);
    if (n > 8) _mm256_maskstore_ps(p + 8, b, x.b);
}
V16_INLINE v16 v16_load_f16(const uint16_t *p) {
    return v16_pair(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)),
                    _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p + 8))));
}
V16_INLINE __m256 v16_widen_bf16(const uint16_t *p) {
    __m256i h = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(h, 16));
}
V16_INLINE v16 v16_load_bf16(const uint16_t *p) { return v16_pair(v16_widen_bf16(p), v16_widen_bf16(p + 8)); }
V16_INLINE __m256 v16_widen_i8(const int8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
V16_INLINE v16 v16_load_i8(const int8_t *p) { return v16_pair(v16_widen_i8(p), v16_widen_i8(p + 8)); }
V16_INLINE void v16_store_f16(uint16_t *p, v16 x) {
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(void *)(p + 8), _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}
V16_INLINE void v16_store_i8(int8_t *p, v16 x) {
    __m256i pairs = _mm256_packs_epi32(_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b));
    pairs = _mm256_permute4x64_epi64(pairs, 0xd8);
    _mm_storeu_si128((__m128i *)(void *)p,
                     _mm_packs_epi16(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1)));
}
V16_INLINE v16 v16_add(v16 x, v16 y) { return v16_pair(_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)); }
V16_INLINE v16 v16_sub(v16 x, v16 y) { return v16_pair(_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)); }
V16_INLINE v16 v16_mul(v16 x, v16 y) { return v16_pair(_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)); }
V16_INLINE v16 v16_div(v16 x, v16 y) { return v16_pair(_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)); }
V16_INLINE v16 v16_fma(v16 x, v16 y, v16 z) {
    return v16_pair(_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b));
}
V16_INLINE v16 v16_max(v16 x, v16 y) { return v16_pair(_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)); }
V16_INLINE v16 v16_min(v16 x, v16 y) { return v16_pair(_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)); }
V16_INLINE v16 v16_select_lt(v16 p, v16 q, v16 x, v16 y) {
    return v16_pair(_mm256_blendv_ps(y.a, x.a, _mm256_cmp_ps(p.a, q.a, _CMP_LT_OQ)),
                    _mm256_blendv_ps(y.b, x.b, _mm256_cmp_ps(p.b, q.b, _CMP_LT_OQ)));
}
V16_INLINE v16 v16_first(size_t n, v16 x, v16 y) {
    __m256i a, b;
    v16_mask(n, &a, &b);
    return v16_pair(_mm256_blendv_ps(y.a, x.a, _mm256_castsi256_ps(a)),
                    _mm256_blendv_ps(y.b, x.b, _mm256_castsi256_ps(b)));
}
V16_INLINE uint32_t v16_gt_mask(v16 x, v16 y) {
    uint32_t low = (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(x.a, y.a, _CMP_GT_OQ));
    uint32_t high = (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(x.b, y.b, _CMP_GT_OQ));
    return low | high << 8;
}
V16_INLINE v16 v16_copysign(v16 x, v16 sign) {
    __m256 s = _mm256_set1_ps(-0.0f);
    return v16_pair(_mm256_or_ps(_mm256_andnot_ps(s, x.a), _mm256_and_ps(s, sign.a)),
                    _mm256_or_ps(_mm256_andnot_ps(s, x.b), _mm256_and_ps(s, sign.b)));
}
V16_INLINE __m256 v16_add_exponent8(__m256 p, __m256 t) {
    __m256i shift = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), shift));
}
V16_INLINE v16 v16_add_exponent(v16 p, v16 t) {
    return v16_pair(v16_add_exponent8(p.a, t.a), v16_add_exponent8(p.b, t.b));
}
V16_INLINE float v16_reduce_add(v16 x) {
    __m256 s8 = _mm256_add_ps(x.a, x.b);
    __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}
V16_INLINE float v16_reduce_max(v16 x) {
    __m256 s8 = _mm256_max_ps(x.a, x.b);
    __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_max_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}
V16_INLINE int32_t v16_store_bytes(int8_t *q, v16 a, v16 b) {
    __m256i low = _mm256_packs_epi32(_mm256_cvtps_epi32(a.a), _mm256_cvtps_epi32(a.b));
    __m256i high = _mm256_packs_epi32(_mm256_cvtps_epi32(b.a), _mm256_cvtps_epi32(b.b));
    /* Packing works in halves: fours of lanes come in the order 0 2 4 6 1 3 5 7. */
    __m256i bytes = _mm256_packs_epi16(low, high);
    _mm256_storeu_si256((__m256i *)(void *)q,
                        _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
    __m256i sums = _mm256_sad_epu8(_mm256_xor_si256(bytes, _mm256_set1_epi8(-128)), _mm256_setzero_si256());
    __m128i two = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_unpackhi_epi64(two, two))) - 32 * 128;
}

#endif
