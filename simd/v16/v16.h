/*
 * v16.h - the virtual vector: 16 float lanes, whatever the processor has.
 *
 * The kernels are written once against this vocabulary and compiled once per instruction set. Every operation gives
 * the same bits everywhere (a NaN stays a NaN; its payload is not specified):
 *   v16_max(a, b) = a > b ? a : b and v16_min(a, b) = a < b ? a : b, so b where either is NaN;
 *   v16_fma rounds once;
 *   v16_store_f16 rounds as tfm_f32_to_f16, v16_store_i8 (lanes within [-127.5, 127.5]) to nearest even;
 *   v16_store_bytes(q, a, b) stores the 32 lanes of a and b likewise, and returns the sum of what it stored;
 *   v16_transpose(from, to): to (16, 16) = transpose of from (16, 16);
 *   v16_reduce_add joins lanes by one tree: i with i + 8, then i + 4, then i + 2, then i + 1 (tfm_lane_tree in docs).
 * meson.build names the instruction set by defining one of TFM_V16_SCALAR, _AVX2, _AVX512, _NEON.
 */
#ifndef TFM_SIMD_V16_V16_H
#define TFM_SIMD_V16_V16_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Scalar vectors are in no register anyway: nothing is lost where the compiler would rather not inline. */
#if defined(TFM_V16_SCALAR)
#define V16_INLINE static inline __attribute__((unused))
#else
#define V16_INLINE static inline __attribute__((always_inline, unused))
#endif
#define V16_ALIGN __attribute__((aligned(64)))

/* Loops over a tile, whose bounds are constants: they must vanish, or the accumulators leave the registers. */
#if defined(TFM_V16_SCALAR)
#define V16_UNROLL
#elif defined(__clang__)
#define V16_UNROLL _Pragma("clang loop unroll(full)")
#else
#define V16_UNROLL _Pragma("GCC unroll 32")
#endif
#define V16_FOR(i, n) V16_UNROLL for (int i = 0; i < (n); i++)

#if defined(TFM_V16_SCALAR)
#include "v16_scalar.h"
#elif defined(TFM_V16_AVX2)
#include "v16_avx2.h"
#elif defined(TFM_V16_AVX512)
#include "v16_avx512.h"
#elif defined(TFM_V16_NEON)
#include "v16_neon.h"
#else
#error "no instruction set chosen for the virtual vector"
#endif

/* Names of exported functions end in the vector form: V16_NAME(tfm_gemm) is tfm_gemm_avx2. */
#define V16_JOIN_(a, b) a##_##b
#define V16_JOIN(a, b) V16_JOIN_(a, b)
#if defined(TFM_V16_EMULATED)
#define V16_NAME(base) V16_JOIN(V16_JOIN(base, V16_ISA), emulated)
#else
#define V16_NAME(base) V16_JOIN(base, V16_ISA)
#endif

/* The first n lanes, or all if there are more; lanes past them are loaded as 0. */
V16_INLINE v16 v16_load_up_to(const float *p, size_t n) { return n >= 16 ? v16_load(p) : v16_load_partial(p, n); }
V16_INLINE void v16_store_up_to(float *p, v16 x, size_t n) {
    if (n >= 16)
        v16_store(p, x);
    else
        v16_store_partial(p, x, n);
}

V16_INLINE v16 v16_abs(v16 x) { return v16_copysign(x, v16_set(0.0f)); }

#endif
