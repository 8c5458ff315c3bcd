/* dot_zmm.h - what the two AVX-512 forms of the integer products share: sums and weights as one __m512i. */
#ifndef TFM_SIMD_DOT_DOT_ZMM_H
#define TFM_SIMD_DOT_DOT_ZMM_H

#include "simd/v16/v16.h"

typedef __m512i nib_weights;
typedef __m512i dot_sums;
typedef __m512i dot_columns;

V16_INLINE __m512i dot_bytes(const void *p) { return _mm512_loadu_si512(p); }
V16_INLINE dot_columns dot_spread(const int8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm512_set1_epi32(four);
}
V16_INLINE dot_sums dot_zero(void) { return _mm512_setzero_si512(); }
V16_INLINE v16 dot_float(dot_sums s, int32_t minus) {
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(s, _mm512_set1_epi32(minus)));
}
V16_INLINE void nib_load(const uint8_t *p, nib_weights *low, nib_weights *high) {
    __m512i mask = _mm512_set1_epi8(15), x = dot_bytes(p);
    *low = _mm512_and_si512(x, mask);
    *high = _mm512_and_si512(_mm512_srli_epi16(x, 4), mask);
}

#endif
