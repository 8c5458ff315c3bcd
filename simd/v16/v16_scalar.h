/* v16_scalar.h - the virtual vector in plain C: the reference every other instruction set is held against. */
#ifndef TFM_SIMD_V16_V16_SCALAR_H
#define TFM_SIMD_V16_V16_SCALAR_H

#include "simd/panels.h"

#define V16_ISA scalar

/* Tiles (rows, panels) a product is cut into; every row count below the largest is reached by adding some of them. */
#define V16_TILE_ROWS 4
#define V16_TILES(X) X(1, 1) X(2, 1) X(4, 1)
#define V16_WIDE                                                                                                       \
    { [1] = 1, [2] = 1, [4] = 1 }
#define V16_ROW_PANELS 4
#define V16_PREFETCH 0

typedef struct v16 {
    float x[16];
} v16;

#define EACH_LANE for (int i = 0; i < 16; i++)

V16_INLINE v16 v16_set(float s) {
    v16 r;
    EACH_LANE r.x[i] = s;
    return r;
}
V16_INLINE v16 v16_load(const float *p) {
    v16 r;
    memcpy(r.x, p, sizeof r.x);
    return r;
}
V16_INLINE void v16_store(float *p, v16 a) { memcpy(p, a.x, sizeof a.x); }
V16_INLINE v16 v16_load_partial(const float *p, size_t n) {
    v16 r = v16_set(0.0f);
    if (n > 0) memcpy(r.x, p, n * sizeof *p);
    return r;
}
V16_INLINE void v16_store_partial(float *p, v16 a, size_t n) {
    if (n > 0) memcpy(p, a.x, n * sizeof *p);
}
V16_INLINE v16 v16_load_f16(const uint16_t *p) {
    v16 r;
    EACH_LANE r.x[i] = tfm_f16_to_f32(p[i]);
    return r;
}
V16_INLINE v16 v16_load_bf16(const uint16_t *p) {
    v16 r;
    EACH_LANE r.x[i] = tfm_bf16_to_f32(p[i]);
    return r;
}
V16_INLINE v16 v16_load_i8(const int8_t *p) {
    v16 r;
    EACH_LANE r.x[i] = p[i];
    return r;
}
V16_INLINE void v16_store_f16(uint16_t *p, v16 a) { EACH_LANE p[i] = tfm_f32_to_f16(a.x[i]); }
V16_INLINE void v16_store_i8(int8_t *p, v16 a) { EACH_LANE p[i] = (int8_t)nearbyintf(a.x[i]); }
V16_INLINE v16 v16_add(v16 a, v16 b) {
    EACH_LANE a.x[i] = a.x[i] + b.x[i];
    return a;
}
V16_INLINE v16 v16_sub(v16 a, v16 b) {
    EACH_LANE a.x[i] = a.x[i] - b.x[i];
    return a;
}
V16_INLINE v16 v16_mul(v16 a, v16 b) {
    EACH_LANE a.x[i] = a.x[i] * b.x[i];
    return a;
}
V16_INLINE v16 v16_div(v16 a, v16 b) {
    EACH_LANE a.x[i] = a.x[i] / b.x[i];
    return a;
}
V16_INLINE v16 v16_fma(v16 a, v16 b, v16 c) {
    EACH_LANE c.x[i] = fmaf(a.x[i], b.x[i], c.x[i]);
    return c;
}
V16_INLINE v16 v16_max(v16 a, v16 b) {
    EACH_LANE a.x[i] = a.x[i] > b.x[i] ? a.x[i] : b.x[i];
    return a;
}
V16_INLINE v16 v16_min(v16 a, v16 b) {
    EACH_LANE a.x[i] = a.x[i] < b.x[i] ? a.x[i] : b.x[i];
    return a;
}
/* a < b ? x : y */
V16_INLINE v16 v16_select_lt(v16 a, v16 b, v16 x, v16 y) {
    EACH_LANE x.x[i] = a.x[i] < b.x[i] ? x.x[i] : y.x[i];
    return x;
}
/* The first n lanes of x, the rest of y. */
V16_INLINE v16 v16_first(size_t n, v16 x, v16 y) {
    EACH_LANE x.x[i] = (size_t)i < n ? x.x[i] : y.x[i];
    return x;
}
/* Bit i: a[i] > b[i]. */
V16_INLINE uint32_t v16_gt_mask(v16 a, v16 b) {
    uint32_t m = 0;
    EACH_LANE m |= (uint32_t)(a.x[i] > b.x[i]) << i;
    return m;
}
V16_INLINE v16 v16_copysign(v16 a, v16 sign) {
    EACH_LANE a.x[i] = copysignf(a.x[i], sign.x[i]);
    return a;
}
/* Adds the low bits of t to the exponent of p: see v16_exp. */
V16_INLINE v16 v16_add_exponent(v16 p, v16 t) {
    for (int i = 0; i < 16; i++) {
        uint32_t bits, shift;
        memcpy(&bits, &p.x[i], sizeof bits);
        memcpy(&shift, &t.x[i], sizeof shift);
        bits += shift << 23;
        memcpy(&p.x[i], &bits, sizeof bits);
    }
    return p;
}
V16_INLINE float v16_reduce_add(v16 a) {
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++) a.x[i] = a.x[i] + a.x[i + half];
    return a.x[0];
}
V16_INLINE float v16_reduce_max(v16 a) {
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++) a.x[i] = a.x[i] > a.x[i + half] ? a.x[i] : a.x[i + half];
    return a.x[0];
}
V16_INLINE int32_t v16_store_bytes(int8_t *q, v16 a, v16 b) {
    int32_t sum = 0;
    for (int i = 0; i < 32; i++) {
        q[i] = (int8_t)nearbyintf(i < 16 ? a.x[i] : b.x[i - 16]);
        sum += q[i];
    }
    return sum;
}
static inline void v16_transpose(const float *from, float *to) {
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) to[j * 16 + i] = from[i * 16 + j];
}

#endif
