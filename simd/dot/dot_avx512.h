/*
 * dot_avx512.h - integer products with AVX-512 but no VNNI. VPMADDUBSW saturates at 16 bits: int8 weights go in as
 * magnitudes with their signs moved to the activations, so that a pair is 128 * 127 * 2 = 32512 at most.
 */
#ifndef TFM_SIMD_DOT_DOT_AVX512_H
#define TFM_SIMD_DOT_DOT_AVX512_H

#include "dot_zmm.h"

#define DOT_ISA avx512
#define DOT_OFFSET 0
#define DOT_TILES(X) X(1, 1) X(1, 4) X(2, 1) X(2, 2) X(3, 1) X(4, 1) X(4, 2) X(6, 1) X(8, 1) X(8, 2)
#define NIB_TILES(X) X(1, 1) X(1, 4) X(2, 1) X(2, 2) X(3, 1) X(4, 1) X(4, 2) X(6, 1) X(6, 2)

typedef struct dot_weights {
    __m512i magnitude;
    __mmask64 negative;
} dot_weights;

V16_INLINE dot_weights dot_load(const uint8_t *p) {
    __m512i w = _mm512_xor_si512(dot_bytes(p), _mm512_set1_epi8(-128));
    return (dot_weights){_mm512_abs_epi8(w), _mm512_movepi8_mask(w)};
}
#define DOT_PEAK_STEP dot_peak_step
V16_INLINE dot_sums dot_peak_step(dot_sums s, dot_weights w, dot_columns q) {
    __m512i pairs = _mm512_maddubs_epi16(w.magnitude, q);
    return _mm512_add_epi32(s, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}
V16_INLINE dot_sums dot_step(dot_sums s, dot_weights w, dot_columns q) {
    return dot_peak_step(s, w, _mm512_mask_sub_epi8(q, w.negative, _mm512_setzero_si512(), q));
}

/* 16-bit lanes, each a pair of columns: 8 steps stay within 8 * 2 * 15 * 127 = 30480. */
typedef __m512i nib_sums;
V16_INLINE nib_sums nib_zero(void) { return _mm512_setzero_si512(); }
V16_INLINE nib_sums nib_step(nib_sums s, nib_weights w, dot_columns q) {
    return _mm512_add_epi16(s, _mm512_maddubs_epi16(w, q));
}
V16_INLINE v16 nib_float(nib_sums s, int32_t minus) {
    return dot_float(_mm512_madd_epi16(s, _mm512_set1_epi16(1)), minus);
}

#endif
