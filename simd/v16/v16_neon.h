/* v16_neon.h - the virtual vector as four float32x4_t (AArch64 Advanced SIMD). */
#ifndef TFM_SIMD_V16_V16_NEON_H
#define TFM_SIMD_V16_V16_NEON_H

#include <arm_neon.h>

#define V16_ISA neon

/* 6 x 1 fills 24 of 32 registers. */
#define V16_TILE_ROWS 6
#define V16_TILES(X) X(1, 1) X(1, 4) X(2, 1) X(2, 2) X(3, 1) X(4, 1) X(5, 1) X(6, 1)
#define V16_WIDE                                                                                                       \
    { [1] = 4, [2] = 2, [3] = 1, [4] = 1, [5] = 1, [6] = 1 }
#define V16_ROW_PANELS 4
#define V16_PREFETCH 512 /* elements to fetch ahead, shared by the panels of a tile */

/* Four members, not an array: arrays of structures of arrays do not always reach registers. */
typedef struct v16 {
    float32x4_t a, b, c, d;
} v16;

#define V16_LANES(expression_a, expression_b, expression_c, expression_d)                                              \
    ((v16){expression_a, expression_b, expression_c, expression_d})

V16_INLINE v16 v16_set(float s) {
    float32x4_t x = vdupq_n_f32(s);
    return V16_LANES(x, x, x, x);
}
V16_INLINE v16 v16_load(const float *p) {
    return V16_LANES(vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12));
}
V16_INLINE void v16_store(float *p, v16 x) {
    vst1q_f32(p, x.a);
    vst1q_f32(p + 4, x.b);
    vst1q_f32(p + 8, x.c);
    vst1q_f32(p + 12, x.d);
}
V16_INLINE v16 v16_load_partial(const float *p, size_t n) {
    V16_ALIGN float x[16] = {0};
    if (n > 0) memcpy(x, p, n * sizeof *p);
    return v16_load(x);
}
V16_INLINE void v16_store_partial(float *p, v16 v, size_t n) {
    V16_ALIGN float x[16];
    v16_store(x, v);
    if (n > 0) memcpy(p, x, n * sizeof *p);
}
V16_INLINE float32x4_t v16_widen_f16(uint16x4_t h) { return vcvt_f32_f16(vreinterpret_f16_u16(h)); }
V16_INLINE v16 v16_load_f16(const uint16_t *p) {
    uint16x8_t low = vld1q_u16(p), high = vld1q_u16(p + 8);
    return V16_LANES(v16_widen_f16(vget_low_u16(low)), v16_widen_f16(vget_high_u16(low)),
                     v16_widen_f16(vget_low_u16(high)), v16_widen_f16(vget_high_u16(high)));
}
V16_INLINE float32x4_t v16_widen_bf16(uint16x4_t h) { return vreinterpretq_f32_u32(vshll_n_u16(h, 16)); }
V16_INLINE v16 v16_load_bf16(const uint16_t *p) {
    uint16x8_t low = vld1q_u16(p), high = vld1q_u16(p + 8);
    return V16_LANES(v16_widen_bf16(vget_low_u16(low)), v16_widen_bf16(vget_high_u16(low)),
                     v16_widen_bf16(vget_low_u16(high)), v16_widen_bf16(vget_high_u16(high)));
}
V16_INLINE float32x4_t v16_widen_i16(int16x4_t h) { return vcvtq_f32_s32(vmovl_s16(h)); }
V16_INLINE v16 v16_load_i8(const int8_t *p) {
    int8x16_t q = vld1q_s8(p);
    int16x8_t low = vmovl_s8(vget_low_s8(q)), high = vmovl_s8(vget_high_s8(q));
    return V16_LANES(v16_widen_i16(vget_low_s16(low)), v16_widen_i16(vget_high_s16(low)),
                     v16_widen_i16(vget_low_s16(high)), v16_widen_i16(vget_high_s16(high)));
}
V16_INLINE uint16x4_t v16_narrow_f16(float32x4_t x) { return vreinterpret_u16_f16(vcvt_f16_f32(x)); }
V16_INLINE void v16_store_f16(uint16_t *p, v16 x) {
    vst1q_u16(p, vcombine_u16(v16_narrow_f16(x.a), v16_narrow_f16(x.b)));
    vst1q_u16(p + 8, vcombine_u16(v16_narrow_f16(x.c), v16_narrow_f16(x.d)));
}
V16_INLINE int16x4_t v16_narrow_i16(float32x4_t x) { return vmovn_s32(vcvtnq_s32_f32(x)); }
V16_INLINE void v16_store_i8(int8_t *p, v16 x) {
    int16x8_t low = vcombine_s16(v16_narrow_i16(x.a), v16_narrow_i16(x.b));
    int16x8_t high = vcombine_s16(v16_narrow_i16(x.c), v16_narrow_i16(x.d));
    vst1q_s8(p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}
#define V16_BINARY(op, x, y) V16_LANES(op((x).a, (y).a), op((x).b, (y).b), op((x).c, (y).c), op((x).d, (y).d))
V16_INLINE v16 v16_add(v16 x, v16 y) { return V16_BINARY(vaddq_f32, x, y); }
V16_INLINE v16 v16_sub(v16 x, v16 y) { return V16_BINARY(vsubq_f32, x, y); }
V16_INLINE v16 v16_mul(v16 x, v16 y) { return V16_BINARY(vmulq_f32, x, y); }
V16_INLINE v16 v16_div(v16 x, v16 y) { return V16_BINARY(vdivq_f32, x, y); }
V16_INLINE v16 v16_fma(v16 x, v16 y, v16 z) {
    return V16_LANES(vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), vfmaq_f32(z.c, x.c, y.c),
                     vfmaq_f32(z.d, x.d, y.d));
}
/* Not vmaxq: it returns NaN where either is, and orders zeros. */
V16_INLINE float32x4_t v16_max4(float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }
V16_INLINE float32x4_t v16_min4(float32x4_t x, float32x4_t y) { return vbslq_f32(vcltq_f32(x, y), x, y); }
V16_INLINE v16 v16_max(v16 x, v16 y) { return V16_BINARY(v16_max4, x, y); }
V16_INLINE v16 v16_min(v16 x, v16 y) { return V16_BINARY(v16_min4, x, y); }
V16_INLINE v16 v16_select_lt(v16 p, v16 q, v16 x, v16 y) {
    return V16_LANES(vbslq_f32(vcltq_f32(p.a, q.a), x.a, y.a), vbslq_f32(vcltq_f32(p.b, q.b), x.b, y.b),
                     vbslq_f32(vcltq_f32(p.c, q.c), x.c, y.c), vbslq_f32(vcltq_f32(p.d, q.d), x.d, y.d));
}
V16_INLINE uint32x4_t v16_lane_below(size_t n, uint32_t first) {
    const uint32x4_t count = {0, 1, 2, 3};
    return vcltq_u32(vaddq_u32(count, vdupq_n_u32(first)), vdupq_n_u32((uint32_t)n));
}
V16_INLINE v16 v16_first(size_t n, v16 x, v16 y) {
    return V16_LANES(vbslq_f32(v16_lane_below(n, 0), x.a, y.a), vbslq_f32(v16_lane_below(n, 4), x.b, y.b),
                     vbslq_f32(v16_lane_below(n, 8), x.c, y.c), vbslq_f32(v16_lane_below(n, 12), x.d, y.d));
}
V16_INLINE uint32_t v16_gt_mask4(float32x4_t x, float32x4_t y) {
    const uint32x4_t bit = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vcgtq_f32(x, y), bit));
}
V16_INLINE uint32_t v16_gt_mask(v16 x, v16 y) {
    return v16_gt_mask4(x.a, y.a) | v16_gt_mask4(x.b, y.b) << 4 | v16_gt_mask4(x.c, y.c) << 8 |
           v16_gt_mask4(x.d, y.d) << 12;
}
V16_INLINE float32x4_t v16_copysign4(float32x4_t x, float32x4_t sign) {
    return vbslq_f32(vdupq_n_u32(0x80000000), sign, x);
}
V16_INLINE v16 v16_copysign(v16 x, v16 sign) { return V16_BINARY(v16_copysign4, x, sign); }
V16_INLINE float32x4_t v16_add_exponent4(float32x4_t p, float32x4_t t) {
    uint32x4_t shift = vshlq_n_u32(vreinterpretq_u32_f32(t), 23);
    return vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(p), shift));
}
V16_INLINE v16 v16_add_exponent(v16 p, v16 t) { return V16_BINARY(v16_add_exponent4, p, t); }
V16_INLINE float v16_reduce_add(v16 x) {
    float32x4_t s4 = vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d));
    float32x2_t s2 = vadd_f32(vget_low_f32(s4), vget_high_f32(s4));
    return vget_lane_f32(s2, 0) + vget_lane_f32(s2, 1);
}
V16_INLINE float v16_reduce_max(v16 x) {
    float32x4_t s4 = v16_max4(v16_max4(x.a, x.c), v16_max4(x.b, x.d));
    float p = vgetq_lane_f32(s4, 0), q = vgetq_lane_f32(s4, 1), r = vgetq_lane_f32(s4, 2), s = vgetq_lane_f32(s4, 3);
    p = p > r ? p : r;
    q = q > s ? q : s;
    return p > q ? p : q;
}
V16_INLINE int8x16_t v16_bytes(v16 x) {
    int16x8_t low = vcombine_s16(vmovn_s32(vcvtnq_s32_f32(x.a)), vmovn_s32(vcvtnq_s32_f32(x.b)));
    int16x8_t high = vcombine_s16(vmovn_s32(vcvtnq_s32_f32(x.c)), vmovn_s32(vcvtnq_s32_f32(x.d)));
    return vcombine_s8(vmovn_s16(low), vmovn_s16(high));
}
V16_INLINE int32_t v16_store_bytes(int8_t *q, v16 a, v16 b) {
    int8x16_t x = v16_bytes(a), y = v16_bytes(b);
    vst1q_s8(q, x);
    vst1q_s8(q + 16, y);
    return vaddlvq_s8(x) + vaddlvq_s8(y);
}
static inline void v16_transpose(const float *from, float *to) {
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 16; j += 4) {
            float32x4x2_t low = vtrnq_f32(vld1q_f32(from + i * 16 + j), vld1q_f32(from + (i + 1) * 16 + j));
            float32x4x2_t high = vtrnq_f32(vld1q_f32(from + (i + 2) * 16 + j), vld1q_f32(from + (i + 3) * 16 + j));
            for (int k = 0; k < 2; k++) {
                float *at = to + (j + k) * 16 + i;
                vst1q_f32(at, vcombine_f32(vget_low_f32(low.val[k]), vget_low_f32(high.val[k])));
                vst1q_f32(at + 2 * 16, vcombine_f32(vget_high_f32(low.val[k]), vget_high_f32(high.val[k])));
            }
        }
}

#endif
