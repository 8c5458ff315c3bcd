/* emulated_avx_vnni.h - the one intrinsic of AVX-VNNI in plain C, so that its kernels run on processors without it. */
#ifndef TFM_TESTS_SIMD_EMULATED_AVX_VNNI_H
#define TFM_TESTS_SIMD_EMULATED_AVX_VNNI_H

#include <immintrin.h>
#include <stdint.h>

/* The sum of four products of unsigned and signed bytes, added to each lane; wraps. */
static inline __attribute__((always_inline)) __m256i emulated_dpbusd_avx_epi32(__m256i sum, __m256i a, __m256i b) {
    union {
        __m256i v;
        uint32_t sum[8];
        uint8_t u[32];
        int8_t s[32];
    } r = {.v = sum}, x = {.v = a}, y = {.v = b};
    for (int i = 0; i < 32; i++) r.sum[i / 4] += (uint32_t)(x.u[i] * y.s[i]);
    return r.v;
}

#undef _mm256_dpbusd_avx_epi32
#define _mm256_dpbusd_avx_epi32 emulated_dpbusd_avx_epi32

#endif
