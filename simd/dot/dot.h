/*
 * dot.h - the vocabulary of integer products: sums of 16 lanes, each of which takes 4 columns a step.
 *
 * int8 (dot_): dot_load takes the 64 bytes of a panel's 4 columns, dot_spread 4 columns of a row for all lanes,
 * dot_step adds their products, dot_float(s, minus) is (float)(s - minus) in each lane. Where an instruction needs the
 * weights as they lie, q + 128, dot_step adds products with q + DOT_OFFSET, and DOT_OFFSET times the row's sum is to
 * be taken off at the end; sums wrap at 32 bits, so that the difference is exact. Any byte is a valid weight (q = -128
 * too); activations are in [-127, 127].
 *
 * int4 (nib_): nib_load splits 64 bytes into the 4 columns of the low and the 4 of the high halves, q + 8. nib_sums
 * hold one group of TFM_I4_GROUP columns.
 *
 * meson.build names the instructions by defining one of TFM_INTEGER_*. DOT_ISA is their suffix in names. DOT_TILES and
 * NIB_TILES are the tiles (rows x panels) that fit the registers: one panel for every number of rows named, and perhaps
 * a wider one. Where many rows have a better way with int8 weights, DOT_TALL_GEMM_INT8 is the function that takes it
 * and DOT_TALL_ROWS how many rows it takes to pay.
 *
 * DOT_PEAK_STEP is what the instructions can do at most, for benchmarks: dot_step, or where that does more than
 * multiply and add, the part of it that does.
 */
#ifndef TFM_SIMD_DOT_DOT_H
#define TFM_SIMD_DOT_DOT_H

#include "simd/v16/v16.h"

#if defined(TFM_INTEGER_SCALAR)
#include "dot_scalar.h"
#elif defined(TFM_INTEGER_AVX2)
#include "dot_avx2.h"
#elif defined(TFM_INTEGER_AVX2_VNNI)
#include "dot_avx2_vnni.h"
#elif defined(TFM_INTEGER_AVX512)
#include "dot_avx512.h"
#elif defined(TFM_INTEGER_AVX512_VNNI)
#include "dot_avx512_vnni.h"
#elif defined(TFM_INTEGER_NEON)
#include "dot_neon.h"
#elif defined(TFM_INTEGER_NEON_DOT)
#include "dot_neon_dot.h"
#else
#error "no instructions chosen for integer products"
#endif

#if !defined(DOT_PEAK_STEP)
#define DOT_PEAK_STEP dot_step
#endif

/* Names of exported functions end in the instruction set: DOT_NAME(tfm_gemm_int) is tfm_gemm_int_avx2_vnni. */
#if defined(TFM_INTEGER_EMULATED)
#define DOT_NAME(base) V16_JOIN(V16_JOIN(base, DOT_ISA), emulated)
#else
#define DOT_NAME(base) V16_JOIN(base, DOT_ISA)
#endif

#endif
