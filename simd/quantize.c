/* quantize.c - rows of activations as int8; compiled once per instruction set. */
#include "isa_kernels.h"

enum { CHAINS = 4 };

/* Largest magnitude; NaN if an element is NaN or infinite. */
static float largest(const float *x, size_t k) {
    const v16 zero = v16_set(0.0f);
    v16 max[CHAINS], zeros[CHAINS]; /* 0 times each element: NaN where it is not finite */
    V16_FOR(j, CHAINS) max[j] = zeros[j] = zero;
    size_t i = 0;
    for (; i + 16 * CHAINS <= k; i += 16 * CHAINS) {
        V16_FOR(j, CHAINS) {
            v16 a = v16_load(x + i + 16 * j);
            max[j] = v16_max(v16_abs(a), max[j]);
            zeros[j] = v16_fma(a, zero, zeros[j]);
        }
    }
    for (; i < k; i += 16) {
        v16 a = v16_load_up_to(x + i, k - i);
        max[0] = v16_max(v16_abs(a), max[0]);
        zeros[0] = v16_fma(a, zero, zeros[0]);
    }
    V16_UNROLL
    for (int j = 1; j < CHAINS; j++) {
        max[0] = v16_max(max[j], max[0]);
        zeros[0] = v16_add(zeros[j], zeros[0]);
    }
    return v16_reduce_max(max[0]) + v16_reduce_add(zeros[0]);
}

static void quantize_row(const float *x, size_t k, const tfm_quantized *to, size_t row) {
    int8_t *q = to->q + row * to->stride;
    size_t groups = tfm_quantized_groups(to);
    int32_t *sums = to->sums + row * groups;
    float max = largest(x, k), inverse = 127.0f / max;
    to->scale[row] = max / 127.0f;
    if (!isfinite(max) || !isfinite(inverse)) { /* not finite, zero, or too small to divide by */
        memset(q, 0, to->stride);
        memset(sums, 0, groups * sizeof *sums);
        return;
    }
    v16 factor = v16_set(inverse);
    for (size_t g = 0; g < groups; g++) {
        size_t i = g * TFM_I4_GROUP, left = i < k ? k - i : 0;
        v16 a = v16_load_up_to(x + i, left), b = left > 16 ? v16_load_up_to(x + i + 16, left - 16) : v16_set(0.0f);
        sums[g] = v16_store_bytes(q + i, v16_mul(a, factor), v16_mul(b, factor));
    }
}

void V16_NAME(tfm_quantize)(const float *x, size_t x_stride, size_t k, const tfm_quantized *to, size_t row0,
                            size_t row1) {
    for (size_t row = row0; row < row1; row++) quantize_row(x + row * x_stride, k, to, row);
}
