/* dot_scalar.h - integer products in plain C. */
#ifndef TFM_SIMD_DOT_DOT_SCALAR_H
#define TFM_SIMD_DOT_DOT_SCALAR_H

#include "simd/v16/v16.h"

#define DOT_ISA scalar
#define DOT_OFFSET 0
#define DOT_TILES(X) X(1, 1)
#define NIB_TILES(X) X(1, 1)

typedef struct dot_weights {
    int8_t x[64];
} dot_weights;
typedef dot_weights nib_weights;
typedef struct dot_sums {
    int32_t x[16];
} dot_sums;
typedef dot_sums nib_sums;
typedef struct dot_columns {
    int8_t x[4];
} dot_columns;

V16_INLINE dot_weights dot_load(const uint8_t *p) {
    dot_weights w;
    for (int i = 0; i < 64; i++) w.x[i] = (int8_t)(p[i] - 128);
    return w;
}
V16_INLINE dot_columns dot_spread(const int8_t *q) { return (dot_columns){{q[0], q[1], q[2], q[3]}}; }
V16_INLINE dot_sums dot_zero(void) { return (dot_sums){{0}}; }
V16_INLINE dot_sums dot_step(dot_sums s, dot_weights w, dot_columns q) {
    for (int i = 0; i < 64; i++) s.x[i / 4] += w.x[i] * q.x[i % 4];
    return s;
}
V16_INLINE v16 dot_float(dot_sums s, int32_t minus) {
    v16 y;
    for (int i = 0; i < 16; i++) y.x[i] = (float)(s.x[i] - minus);
    return y;
}

V16_INLINE void nib_load(const uint8_t *p, nib_weights *low, nib_weights *high) {
    for (int i = 0; i < 64; i++) {
        low->x[i] = p[i] & 15;
        high->x[i] = (int8_t)(p[i] >> 4);
    }
}
V16_INLINE nib_sums nib_zero(void) { return dot_zero(); }
V16_INLINE nib_sums nib_step(nib_sums s, nib_weights w, dot_columns q) { return dot_step(s, w, q); }
V16_INLINE v16 nib_float(nib_sums s, int32_t minus) { return dot_float(s, minus); }

#endif
