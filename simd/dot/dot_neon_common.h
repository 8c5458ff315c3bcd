/* dot_neon_common.h - what the two NEON forms of the integer products share: weights and sums as four vectors of 4
 * lanes. */
#ifndef TFM_SIMD_DOT_DOT_NEON_COMMON_H
#define TFM_SIMD_DOT_DOT_NEON_COMMON_H

#include "simd/v16/v16.h"

#define DOT_OFFSET 0

typedef struct dot_weights {
    int8x16_t a, b, c, d;
} dot_weights;
typedef dot_weights nib_weights;
typedef struct dot_sums {
    int32x4_t a, b, c, d;
} dot_sums;
typedef int8x16_t dot_columns;

V16_INLINE int8x16_t dot_signed(const uint8_t *p) {
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(128)));
}
V16_INLINE dot_weights dot_load(const uint8_t *p) {
    return (dot_weights){dot_signed(p), dot_signed(p + 16), dot_signed(p + 32), dot_signed(p + 48)};
}
V16_INLINE dot_columns dot_spread(const int8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}
V16_INLINE dot_sums dot_zero(void) {
    int32x4_t zero = vdupq_n_s32(0);
    return (dot_sums){zero, zero, zero, zero};
}
V16_INLINE v16 dot_float(dot_sums s, int32_t minus) {
    int32x4_t m = vdupq_n_s32(minus);
    return (v16){vcvtq_f32_s32(vsubq_s32(s.a, m)), vcvtq_f32_s32(vsubq_s32(s.b, m)), vcvtq_f32_s32(vsubq_s32(s.c, m)),
                 vcvtq_f32_s32(vsubq_s32(s.d, m))};
}
V16_INLINE int8x16_t nib_low(uint8x16_t x) { return vreinterpretq_s8_u8(vandq_u8(x, vdupq_n_u8(15))); }
V16_INLINE int8x16_t nib_high(uint8x16_t x) { return vreinterpretq_s8_u8(vshrq_n_u8(x, 4)); }
V16_INLINE void nib_load(const uint8_t *p, nib_weights *low, nib_weights *high) {
    uint8x16_t a = vld1q_u8(p), b = vld1q_u8(p + 16), c = vld1q_u8(p + 32), d = vld1q_u8(p + 48);
    *low = (nib_weights){nib_low(a), nib_low(b), nib_low(c), nib_low(d)};
    *high = (nib_weights){nib_high(a), nib_high(b), nib_high(c), nib_high(d)};
}

#endif
