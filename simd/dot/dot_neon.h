/*
 * dot_neon.h - integer products with AArch64's baseline. Two products make at most 128 * 127 * 2 = 32512, which 16 bits
 * hold.
 */
#ifndef TFM_SIMD_DOT_DOT_NEON_H
#define TFM_SIMD_DOT_DOT_NEON_H

#include "dot_neon_common.h"

#define DOT_ISA neon
#define DOT_TILES(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1)
#define NIB_TILES(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1)

/* Sums of two neighbouring columns, for 4 lanes. */
V16_INLINE int16x8_t dot_pairs(int8x16_t w, int8x16_t q) {
    return vpaddq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(q)), vmull_high_s8(w, q));
}
V16_INLINE dot_sums dot_step(dot_sums s, dot_weights w, dot_columns q) {
    return (dot_sums){vpadalq_s16(s.a, dot_pairs(w.a, q)), vpadalq_s16(s.b, dot_pairs(w.b, q)),
                      vpadalq_s16(s.c, dot_pairs(w.c, q)), vpadalq_s16(s.d, dot_pairs(w.d, q))};
}

/* Pairs of columns: 8 steps stay within 8 * 2 * 15 * 127 = 30480. */
typedef struct nib_sums {
    int16x8_t a, b, c, d;
} nib_sums;
V16_INLINE nib_sums nib_zero(void) {
    int16x8_t zero = vdupq_n_s16(0);
    return (nib_sums){zero, zero, zero, zero};
}
V16_INLINE nib_sums nib_step(nib_sums s, nib_weights w, dot_columns q) {
    return (nib_sums){vaddq_s16(s.a, dot_pairs(w.a, q)), vaddq_s16(s.b, dot_pairs(w.b, q)),
                      vaddq_s16(s.c, dot_pairs(w.c, q)), vaddq_s16(s.d, dot_pairs(w.d, q))};
}
V16_INLINE v16 nib_float(nib_sums s, int32_t minus) {
    return dot_float((dot_sums){vpaddlq_s16(s.a), vpaddlq_s16(s.b), vpaddlq_s16(s.c), vpaddlq_s16(s.d)}, minus);
}

#endif
