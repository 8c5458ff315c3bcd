/* dot_avx2_vnni.h - integer products with AVX-VNNI: VPDPBUSD on 32 bytes. */
#ifndef TFM_SIMD_DOT_DOT_AVX2_VNNI_H
#define TFM_SIMD_DOT_DOT_AVX2_VNNI_H

#include "dot_ymm.h"

#define DOT_ISA avx2_vnni
#define DOT_OFFSET 128
#define DOT_TILES(X) X(1, 1) X(1, 4) X(2, 1) X(2, 2) X(3, 1) X(4, 1) X(5, 1) X(6, 1)
#define NIB_TILES(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1)

V16_INLINE dot_weights dot_load(const uint8_t *p) { return (dot_weights){dot_bytes(p), dot_bytes(p + 32)}; }
/* Not the intrinsic where that can be: gcc 12 copies the sums of a tile around, and out of registers, at each step. */
V16_INLINE __m256i dot_step8(__m256i s, __m256i w, __m256i q) {
#if defined(TFM_INTEGER_EMULATED)
    s = _mm256_dpbusd_avx_epi32(s, w, q);
#else
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(s) : "x"(w), "x"(q));
#endif
    return s;
}
V16_INLINE dot_sums dot_step(dot_sums s, dot_weights w, dot_columns q) {
    return (dot_sums){dot_step8(s.a, w.a, q), dot_step8(s.b, w.b, q)};
}

typedef dot_sums nib_sums;
V16_INLINE nib_sums nib_zero(void) { return dot_zero(); }
V16_INLINE nib_sums nib_step(nib_sums s, nib_weights w, dot_columns q) { return dot_step(s, w, q); }
V16_INLINE v16 nib_float(nib_sums s, int32_t minus) { return dot_float(s, minus); }

#endif
