/* dot_neon_dot.h - integer products with AArch64's dot product extension: SDOT on 16 bytes. */
#ifndef TFM_SIMD_DOT_DOT_NEON_DOT_H
#define TFM_SIMD_DOT_DOT_NEON_DOT_H

#include "dot_neon_common.h"

#define DOT_ISA neon_dot
#define DOT_TILES(X) X(1, 1) X(1, 4) X(2, 1) X(2, 2) X(3, 1) X(4, 1) X(5, 1) X(6, 1)
#define NIB_TILES(X) X(1, 1) X(1, 2) X(2, 1) X(3, 1) X(4, 1)

V16_INLINE dot_sums dot_step(dot_sums s, dot_weights w, dot_columns q) {
    return (dot_sums){vdotq_s32(s.a, w.a, q), vdotq_s32(s.b, w.b, q), vdotq_s32(s.c, w.c, q), vdotq_s32(s.d, w.d, q)};
}

typedef dot_sums nib_sums;
V16_INLINE nib_sums nib_zero(void) { return dot_zero(); }
V16_INLINE nib_sums nib_step(nib_sums s, nib_weights w, dot_columns q) { return dot_step(s, w, q); }
V16_INLINE v16 nib_float(nib_sums s, int32_t minus) { return dot_float(s, minus); }

#endif
