/*
 * limits_integer.c - a loop that does nothing but int8 multiply-adds into int32; compiled once per set of integer
 * instructions.
 */
#include "harness.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/* A sum, a step that adds products to it, and the multiply-adds of a step. Enough chains to hide the latency. */
#if defined(PERF_INTEGER_AVX512_VNNI)
#define REGISTER "v"
enum { CHAINS = 16, PRODUCTS = 64 };
typedef __m512i vector;
static inline vector spread(int8_t x) { return _mm512_set1_epi8(x); }
static inline vector step(vector sum, vector a, vector b) { return _mm512_dpbusd_epi32(sum, a, b); }
#elif defined(PERF_INTEGER_AVX512)
#define REGISTER "v"
enum { CHAINS = 12, PRODUCTS = 64 };
typedef __m512i vector;
static inline vector spread(int8_t x) { return _mm512_set1_epi8(x); }
static inline vector step(vector sum, vector a, vector b) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1)));
}
#elif defined(PERF_INTEGER_AVX2_VNNI)
#define REGISTER "x"
enum { CHAINS = 10, PRODUCTS = 32 };
typedef __m256i vector;
static inline vector spread(int8_t x) { return _mm256_set1_epi8(x); }
static inline vector step(vector sum, vector a, vector b) { return _mm256_dpbusd_avx_epi32(sum, a, b); }
#elif defined(PERF_INTEGER_AVX2)
#define REGISTER "x"
enum { CHAINS = 6, PRODUCTS = 32 };
typedef __m256i vector;
static inline vector spread(int8_t x) { return _mm256_set1_epi8(x); }
static inline vector step(vector sum, vector a, vector b) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
}
#elif defined(PERF_INTEGER_NEON_DOT)
#define REGISTER "w"
enum { CHAINS = 16, PRODUCTS = 16 };
typedef int32x4_t vector;
static inline vector spread(int8_t x) { return vreinterpretq_s32_s8(vdupq_n_s8(x)); }
static inline vector step(vector sum, vector a, vector b) {
    return vdotq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
}
#elif defined(PERF_INTEGER_NEON)
#define REGISTER "w"
enum { CHAINS = 12, PRODUCTS = 16 };
typedef int32x4_t vector;
static inline vector spread(int8_t x) { return vreinterpretq_s32_s8(vdupq_n_s8(x)); }
static inline vector step(vector sum, vector a, vector b) {
    int8x16_t x = vreinterpretq_s8_s32(a), y = vreinterpretq_s8_s32(b);
    int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(y));
    return vpadalq_s16(sum, vmlal_s8(low, vget_high_s8(x), vget_high_s8(y)));
}
#else
#define REGISTER "r"
enum { CHAINS = 8, PRODUCTS = 1 };
typedef int32_t vector;
static inline vector spread(int8_t x) { return x; }
static inline vector step(vector sum, vector a, vector b) { return sum + (int8_t)a * (int8_t)b; }
#endif

/* 256 steps a round. The compiler knows neither operand, and must not take the products out of the loop. */
double PERF_INT8(size_t n) {
    static volatile int8_t unknown = 3;
    static volatile int sink;
    vector sum[CHAINS], a = spread(unknown), b = spread(unknown);
    for (int c = 0; c < CHAINS; c++) sum[c] = spread((int8_t)c);
    for (size_t i = 0; i < n * 256; i++) {
        UNROLL for (int c = 0; c < CHAINS; c++) {
            __asm__ volatile("" : "+" REGISTER(a));
            sum[c] = step(sum[c], a, b);
        }
    }
    int all = 0;
    for (int c = 0; c < CHAINS; c++) {
        unsigned char bytes[sizeof(vector)];
        vector last = sum[c];
        memcpy(bytes, &last, sizeof last);
        for (size_t i = 0; i < sizeof bytes; i++) all += bytes[i];
    }
    sink = all;
    (void)sink;
    return (double)n * 256 * CHAINS * PRODUCTS * 2;
}
