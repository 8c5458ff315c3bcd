/*
 * limits.c - loops that do nothing but multiply-add, or nothing but read; compiled once per instruction set.
 */
#include "../simd/v16.h"
#include "harness.h"

/* v16 chains that fill the registers of an instruction set and hide the latency of its FMA. */
#define CHAINS PERF_CHAINS

/* 256 steps a round. */
static double fma_loop(size_t n) {
    v16 sum[CHAINS], a = v16_set(0.999f), b = v16_set(0.001f);
    for (int c = 0; c < CHAINS; c++) sum[c] = v16_set((float)c);
    for (size_t i = 0; i < n * 256; i++) {
        V16_UNROLL for (int c = 0; c < CHAINS; c++) sum[c] = v16_fma(sum[c], a, b);
    }
    float lanes[TFM_PANEL];
    v16 all = sum[0];
    for (int c = 1; c < CHAINS; c++) all = v16_add(all, sum[c]);
    v16_store(lanes, all);
    volatile float sink = lanes[0];
    (void)sink;
    return (double)n * 256 * CHAINS * TFM_PANEL * 2;
}

static float read_loop(const float *data, size_t n) {
    size_t stream = n / 4;
    v16 sum[4] = {v16_set(0), v16_set(0), v16_set(0), v16_set(0)};
    for (size_t i = 0; i + TFM_PANEL <= stream; i += TFM_PANEL) {
        V16_UNROLL for (size_t s = 0; s < 4; s++) {
            __builtin_prefetch(data + s * stream + i + 256);
            sum[s] = v16_add(sum[s], v16_load(data + s * stream + i));
        }
    }
    float lanes[TFM_PANEL];
    v16_store(lanes, v16_add(v16_add(sum[0], sum[1]), v16_add(sum[2], sum[3])));
    return lanes[0];
}

const perf_loops V16_NAME(perf_loops) = {fma_loop, read_loop};
