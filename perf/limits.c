/* limits.c - loops that do nothing but multiply-add, or nothing but read; compiled once per instruction set. */
#include "harness.h"
#include "simd/dot/dot.h"

/* STEPS of CHAINS are a round. So many accumulators fill the registers and hide the latency of a multiply-add; a vector
 * in plain C is enough by itself. */
#if defined(TFM_V16_SCALAR)
enum { CHAINS = 1 };
#else
enum { CHAINS = V16_TILE_ROWS };
#endif
enum { STEPS = 256, LANES = 16 };

/* Whatever is in a register may be anything from here on, as far as the compiler knows. */
#if defined(TFM_V16_SCALAR)
#define FORGET(x) __asm__ volatile("" : "+r"(x))
#elif defined(__x86_64__)
#define FORGET(x) __asm__ volatile("" : "+v"(x))
#else
#define FORGET(x) __asm__ volatile("" : "+w"(x))
#endif

static volatile float sink;

/* Uses a result, so that it has to be computed. */
static void use(v16 x) {
    float lanes[LANES];
    v16_store(lanes, x);
    for (int i = 0; i < LANES; i++) sink = lanes[i];
}

/* Lanes the compiler knows nothing of, so that it must compute each of them. */
static v16 unknown_lanes(void) {
    static volatile float one = 1.0f;
    float lanes[LANES];
    for (int i = 0; i < LANES; i++) lanes[i] = one * (float)i;
    return v16_load(lanes);
}

static double fma_loop(size_t n) {
    v16 sum[CHAINS], a = v16_set(0.999f), b = v16_set(0.001f);
    for (int c = 0; c < CHAINS; c++) sum[c] = v16_add(unknown_lanes(), v16_set((float)c));
    for (size_t i = 0; i < n * STEPS; i++)
        V16_FOR(c, CHAINS) sum[c] = v16_fma(sum[c], a, b);
    for (int c = 0; c < CHAINS; c++) use(sum[c]);
    return (double)n * STEPS * CHAINS * LANES * 2;
}

/* int8 multiply-adds into int32. The products of all chains are the same, and must not be taken from one another. */
#if defined(TFM_V16_SCALAR)
static double int8_loop(size_t n) {
    enum { SUMS = 8 }; /* numbers rather than vectors, which would lie in memory */
    static volatile int32_t unknown = 3;
    int32_t sum[SUMS] = {0}, a = unknown, b = unknown;
    for (size_t i = 0; i < n * STEPS; i++)
        for (int c = 0; c < SUMS; c++) {
            FORGET(a);
            sum[c] += (int8_t)a * (int8_t)b;
        }
    for (int c = 0; c < SUMS; c++) sink = (float)sum[c];
    return (double)n * STEPS * SUMS * 2;
}
#else
static double int8_loop(size_t n) {
    static volatile uint8_t unknown = 131;
    uint8_t weights[TFM_LINE_BYTES];
    int8_t columns[TFM_I8_LINE];
    for (int i = 0; i < TFM_LINE_BYTES; i++) weights[i] = unknown;
    for (int i = 0; i < TFM_I8_LINE; i++) columns[i] = (int8_t)(unknown - 128);
    dot_weights w = dot_load(weights);
    dot_columns q = dot_spread(columns);
    dot_sums sum[CHAINS];
    for (int c = 0; c < CHAINS; c++) sum[c] = dot_zero();
    for (size_t i = 0; i < n * STEPS; i++) {
        V16_FOR(c, CHAINS) {
            FORGET(q);
            sum[c] = DOT_PEAK_STEP(sum[c], w, q);
        }
    }
    for (int c = 0; c < CHAINS; c++) use(dot_float(sum[c], 0));
    return (double)n * STEPS * CHAINS * TFM_LINE_BYTES * 2;
}
#endif

/* Streams of equal length, read at the same time; prefetched 2 KB ahead. */
static inline void read_in(const float *data, size_t n, size_t n_streams) {
    size_t stream = n / n_streams, step = LANES * 4 / n_streams; /* four chains in all */
    v16 sum[4] = {v16_set(0), v16_set(0), v16_set(0), v16_set(0)};
    for (size_t i = 0; i + step <= stream; i += step) {
        V16_FOR(c, 4) {
            const float *from = data + c % n_streams * stream + i + c / n_streams * LANES;
            __builtin_prefetch(from + 512);
            sum[c] = v16_add(sum[c], v16_load(from));
        }
    }
    use(v16_add(v16_add(sum[0], sum[1]), v16_add(sum[2], sum[3])));
}

static void read_loop(const float *data, size_t n) { read_in(data, n, 1); }
static void read_streams_loop(const float *data, size_t n) { read_in(data, n, 4); }

const perf_loops DOT_NAME(perf_loops) = {fma_loop, int8_loop, read_loop, read_streams_loop};
