/* dot_ymm.h - what the two AVX2 forms of the integer products share: sums and weights as two __m256i. */
#ifndef TFM_SIMD_DOT_DOT_YMM_H
#define TFM_SIMD_DOT_DOT_YMM_H

#include "simd/v16/v16.h"

typedef struct dot_ymm {
    __m256i a, b;
} dot_ymm;

typedef dot_ymm dot_weights;
typedef dot_ymm nib_weights;
typedef dot_ymm dot_sums;
typedef __m256i dot_columns;

V16_INLINE __m256i dot_bytes(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
V16_INLINE dot_columns dot_spread(const int8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm256_set1_epi32(four);
}
V16_INLINE dot_ymm dot_zero(void) { return (dot_ymm){_mm256_setzero_si256(), _mm256_setzero_si256()}; }
V16_INLINE v16 dot_float(dot_sums s, int32_t minus) {
    __m256i m = _mm256_set1_epi32(minus);
    return v16_pair(_mm256_cvtepi32_ps(_mm256_sub_epi32(s.a, m)), _mm256_cvtepi32_ps(_mm256_sub_epi32(s.b, m)));
}
V16_INLINE void nib_load(const uint8_t *p, nib_weights *low, nib_weights *high) {
    __m256i mask = _mm256_set1_epi8(15), a = dot_bytes(p), b = dot_bytes(p + 32);
    *low = (nib_weights){_mm256_and_si256(a, mask), _mm256_and_si256(b, mask)};
    *high =
        (nib_weights){_mm256_and_si256(_mm256_srli_epi16(a, 4), mask), _mm256_and_si256(_mm256_srli_epi16(b, 4), mask)};
}

#endif
