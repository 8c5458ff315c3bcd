/*
 * dot_avx2.h - integer products with AVX2. VPMADDUBSW saturates at 16 bits: int8 weights go in as magnitudes with their
 * signs moved to the activations, so that a pair is 128 * 127 * 2 = 32512 at most.
 */
#ifndef TFM_SIMD_DOT_DOT_AVX2_H
#define TFM_SIMD_DOT_DOT_AVX2_H

#include "dot_ymm.h"
#include "simd/kernels.h"

#define DOT_ISA avx2
#define DOT_OFFSET 0
#define DOT_TALL_GEMM_INT8 tfm_gemm_int8_winograd_avx2
#define DOT_TALL_ROWS 16
#define DOT_TILES(X) X(1, 1) X(1, 2) X(2, 1) X(2, 2) X(3, 1) X(4, 1) X(5, 1) X(6, 1)
#define NIB_TILES(X) X(1, 1) X(1, 2) X(2, 1) X(2, 2) X(3, 1) X(4, 1)

tfm_gemm_int_fn DOT_TALL_GEMM_INT8;

/* Else gcc 12 copies the sums of a tile from register to register, and out of them, at each step. */
#define DOT_IN_PLACE(sum) __asm__("" : "+x"(sum))

V16_INLINE dot_weights dot_load(const uint8_t *p) {
    __m256i flip = _mm256_set1_epi8(-128);
    return (dot_weights){_mm256_xor_si256(dot_bytes(p), flip), _mm256_xor_si256(dot_bytes(p + 32), flip)};
}
/* Of magnitudes of weights and what multiplies them. */
V16_INLINE __m256i dot_add8(__m256i s, __m256i w, __m256i q) {
    s = _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_maddubs_epi16(w, q), _mm256_set1_epi16(1)));
    DOT_IN_PLACE(s);
    return s;
}
V16_INLINE dot_sums dot_step(dot_sums s, dot_weights w, dot_columns q) {
    return (dot_sums){dot_add8(s.a, _mm256_abs_epi8(w.a), _mm256_sign_epi8(q, w.a)),
                      dot_add8(s.b, _mm256_abs_epi8(w.b), _mm256_sign_epi8(q, w.b))};
}
#define DOT_PEAK_STEP dot_peak_step
V16_INLINE dot_sums dot_peak_step(dot_sums s, dot_weights w, dot_columns q) {
    return (dot_sums){dot_add8(s.a, w.a, q), dot_add8(s.b, w.b, q)};
}

/* 16-bit lanes, each a pair of columns: 8 steps stay within 8 * 2 * 15 * 127 = 30480. */
typedef dot_ymm nib_sums;
V16_INLINE nib_sums nib_zero(void) { return dot_zero(); }
V16_INLINE __m256i nib_step8(__m256i s, __m256i w, __m256i q) {
    s = _mm256_add_epi16(s, _mm256_maddubs_epi16(w, q));
    DOT_IN_PLACE(s);
    return s;
}
V16_INLINE nib_sums nib_step(nib_sums s, nib_weights w, dot_columns q) {
    return (nib_sums){nib_step8(s.a, w.a, q), nib_step8(s.b, w.b, q)};
}
V16_INLINE v16 nib_float(nib_sums s, int32_t minus) {
    __m256i one = _mm256_set1_epi16(1);
    return dot_float((dot_sums){_mm256_madd_epi16(s.a, one), _mm256_madd_epi16(s.b, one)}, minus);
}

#endif
