/* dot_avx512_vnni.h - integer products with AVX-512 VNNI: VPDPBUSD on 64 bytes. */
#ifndef TFM_SIMD_DOT_DOT_AVX512_VNNI_H
#define TFM_SIMD_DOT_DOT_AVX512_VNNI_H

#include "dot_zmm.h"

#define DOT_ISA avx512_vnni
#define DOT_OFFSET 128
#define DOT_TILES(X)                                                                                                   \
    X(1, 1) X(1, 8) X(2, 1) X(2, 4) X(3, 1) X(3, 4) X(4, 1) X(4, 4) X(6, 1) X(6, 2) X(8, 1) X(8, 2) X(12, 1) X(12, 2)
#define NIB_TILES(X) X(1, 1) X(1, 4) X(2, 1) X(2, 2) X(3, 1) X(4, 1) X(4, 2) X(6, 1) X(6, 2)

typedef __m512i dot_weights;

V16_INLINE dot_weights dot_load(const uint8_t *p) { return dot_bytes(p); }
/* Not the intrinsic where that can be: gcc 12 copies the sums of a tile around, and out of registers, at each step. */
V16_INLINE dot_sums dot_step(dot_sums s, dot_weights w, dot_columns q) {
#if defined(TFM_INTEGER_EMULATED)
    s = _mm512_dpbusd_epi32(s, w, q);
#else
    __asm__("vpdpbusd %2, %1, %0" : "+v"(s) : "v"(w), "v"(q));
#endif
    return s;
}

typedef dot_sums nib_sums;
V16_INLINE nib_sums nib_zero(void) { return dot_zero(); }
V16_INLINE nib_sums nib_step(nib_sums s, nib_weights w, dot_columns q) { return dot_step(s, w, q); }
V16_INLINE v16 nib_float(nib_sums s, int32_t minus) { return dot_float(s, minus); }

#endif
