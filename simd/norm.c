/* norm.c - layer norm and RMS norm; compiled once per instruction set. */
#include "isa_kernels.h"

static float sum(const float *x, size_t n) {
    v16 s = v16_set(0.0f);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) s = v16_add(s, v16_load(x + i));
    if (i < n) s = v16_add(s, v16_load_partial(x + i, n - i));
    return v16_reduce_add(s);
}

/* Sum of (x - mean)^2. */
static float sum_squares(const float *x, size_t n, float mean) {
    v16 s = v16_set(0.0f), m = v16_set(mean);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v16 d = v16_sub(v16_load(x + i), m);
        s = v16_fma(d, d, s);
    }
    if (i < n) {
        v16 d = v16_first(n - i, v16_sub(v16_load_partial(x + i, n - i), m), v16_set(0.0f));
        s = v16_fma(d, d, s);
    }
    return v16_reduce_add(s);
}

/* ((x - mean) * factor) * weight + bias, the last two as one fused multiply-add. */
V16_INLINE v16 normalise(v16 x, v16 mean, v16 factor, v16 weight, v16 bias) {
    return v16_fma(v16_mul(v16_sub(x, mean), factor), weight, bias);
}

static void layer_norm_row(const float *x, float *y, size_t n, const float *weight, const float *bias, float eps) {
    float average = sum(x, n) / (float)n;
    float variance = sum_squares(x, n, average) / (float)n;
    v16 mean = v16_set(average), factor = v16_set(1.0f / sqrtf(variance + eps));
    v16 b = v16_set(-0.0f); /* the addend that changes nothing */
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        if (bias) b = v16_load(bias + i);
        v16_store(y + i, normalise(v16_load(x + i), mean, factor, v16_load(weight + i), b));
    }
    if (i < n) {
        if (bias) b = v16_load_partial(bias + i, n - i);
        v16 w = v16_load_partial(weight + i, n - i);
        v16_store_partial(y + i, normalise(v16_load_partial(x + i, n - i), mean, factor, w, b), n - i);
    }
}

void V16_NAME(tfm_layer_norm)(const float *x, size_t x_stride, float *y, size_t y_stride, size_t m, size_t n,
                              const float *weight, const float *bias, float eps) {
    for (size_t r = 0; r < m && n > 0; r++) layer_norm_row(x + r * x_stride, y + r * y_stride, n, weight, bias, eps);
}

static void rms_norm_row(const float *x, float *y, size_t n, const float *weight, float eps) {
    v16 factor = v16_set(1.0f / sqrtf(sum_squares(x, n, 0.0f) / (float)n + eps));
    size_t i = 0;
    for (; i + 16 <= n; i += 16) v16_store(y + i, v16_mul(v16_mul(v16_load(x + i), factor), v16_load(weight + i)));
    if (i < n) {
        v16 w = v16_load_partial(weight + i, n - i);
        v16_store_partial(y + i, v16_mul(v16_mul(v16_load_partial(x + i, n - i), factor), w), n - i);
    }
}

void V16_NAME(tfm_rms_norm)(const float *x, size_t x_stride, float *y, size_t y_stride, size_t m, size_t n,
                            const float *weight, float eps) {
    for (size_t r = 0; r < m && n > 0; r++) rms_norm_row(x + r * x_stride, y + r * y_stride, n, weight, eps);
}
