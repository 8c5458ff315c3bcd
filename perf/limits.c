/*
 * limits.c - loops that do nothing but multiply-add, or nothing but read; compiled once per instruction set.
 */
#include "simd/v16/v16.h"
#include "harness.h"

/* v16 chains that fill the registers of an instruction set and hide the latency of its FMA. */
#define CHAINS PERF_CHAINS

/* Lanes the compiler knows nothing of, so that it must compute each of them. */
static v16 unknown_lanes(void) {
    static volatile float one = 1.0f;
    float lanes[TFM_PANEL];
    for (int i = 0; i < TFM_PANEL; i++) lanes[i] = one * (float)i;
    return v16_load(lanes);
}

static void use(v16 x) {
    volatile float sink[TFM_PANEL];
    float lanes[TFM_PANEL];
    v16_store(lanes, x);
    for (int i = 0; i < TFM_PANEL; i++) sink[i] = lanes[i];
    (void)sink;
}

/* 256 steps a round. */
static double fma_loop(size_t n) {
    v16 sum[CHAINS], a = v16_set(0.999f), b = v16_set(0.001f);
    for (int c = 0; c < CHAINS; c++) sum[c] = v16_add(unknown_lanes(), v16_set((float)c));
    for (size_t i = 0; i < n * 256; i++) {
        V16_UNROLL for (int c = 0; c < CHAINS; c++) sum[c] = v16_fma(sum[c], a, b);
    }
    for (int c = 0; c < CHAINS; c++) use(sum[c]);
    return (double)n * 256 * CHAINS * TFM_PANEL * 2;
}

/* Streams of equal length, read at the same time; prefetched 2 KB ahead. */
static inline void read_in(const float *data, size_t n, size_t n_streams) {
    size_t stream = n / n_streams, step = TFM_PANEL * 4 / n_streams; /* four chains in all */
    v16 sum[4] = {v16_set(0), v16_set(0), v16_set(0), v16_set(0)};
    for (size_t i = 0; i + step <= stream; i += step) {
        V16_UNROLL for (size_t c = 0; c < 4; c++) {
            const float *from = data + c % n_streams * stream + i + c / n_streams * TFM_PANEL;
            __builtin_prefetch(from + 512);
            sum[c] = v16_add(sum[c], v16_load(from));
        }
    }
    use(v16_add(v16_add(sum[0], sum[1]), v16_add(sum[2], sum[3])));
}

static void read_loop(const float *data, size_t n) { read_in(data, n, 1); }
static void read_streams_loop(const float *data, size_t n) { read_in(data, n, 4); }

const perf_loops V16_NAME(perf_loops) = {fma_loop, read_loop, read_streams_loop};
