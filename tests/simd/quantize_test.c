/* quantize_test.c - rows of activations as int8. */
#include "checker.h"

#include <string.h>

#include "gemm_case.h"

static void fill_row(check_case *c, float *x, size_t n) {
    static const float values[] = {INFINITY, -INFINITY, NAN, 0x1p127f, -0x1p127f, 0x1p-140f, -0.0f, 0x1.fffffep127f};
    size_t kind = check_below(c, 12);
    check_fill(c, x, n);
    for (size_t i = 0; i < n; i++) {
        if (kind == 0) x[i] = check_chance(c, 50) ? 0.0f : -0.0f;
        if (kind == 1) x[i] = ldexpf(x[i], -130); /* so small that 127 / max overflows, or nearly */
        if (kind == 2) x[i] = ldexpf(x[i], -120);
        if (kind == 3) x[i] = (float)((int)check_below(c, 509) - 254) / 2; /* halves: ties, if the largest is 127 */
        if (kind == 4) x[i] = ldexpf(x[i], 127);
    }
    if (kind == 3 && n > 0) x[check_below(c, n)] = 127.0f;
    for (size_t i = kind == 5 && n > 0 ? check_between(c, 1, 3) : 0; i > 0; i--)
        x[check_below(c, n)] = values[check_below(c, sizeof values / sizeof values[0])];
}

static void check_quantized_row(check_case *c, const float *x, size_t k, const tfm_quantized *q, size_t row) {
    float max = 0;
    bool finite = true;
    for (size_t i = 0; i < k; i++) {
        finite = finite && isfinite(x[i]);
        max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
    }
    float scale = finite ? max / 127.0f : NAN, inverse = 127.0f / max;
    check_equal(c, "quantize: scale", &q->scale[row], &scale, 1);
    int32_t sum = 0;
    for (size_t i = 0; i < q->stride && !c->failed; i++) {
        int expected = i < k && finite && max > 0 && isfinite(inverse) ? (int)lrintf(x[i] * inverse) : 0;
        if (q->q[row * q->stride + i] != expected)
            check_fail(c, "quantize: row %zu, column %zu of %zu: got %d, expected %d of %a, largest %a", row, i, k,
                       q->q[row * q->stride + i], expected, (double)(i < k ? x[i] : 0), (double)max);
        sum += expected;
        if (i % TFM_I4_GROUP != TFM_I4_GROUP - 1) continue;
        int32_t got = q->sums[row * (q->stride / TFM_I4_GROUP) + i / TFM_I4_GROUP];
        if (got != sum) check_fail(c, "quantize: row %zu, group %zu: sum %d, expected %d", row, i / 32, got, sum);
        sum = 0;
    }
}

void check_quantize(check_case *c, const tfm_kernels *kernels) {
    size_t m = check_size(c, 6), k = check_chance(c, 50) ? check_size(c, 300) : gemm_case_k(c), groups, row0, row1;
    size_t x_stride = k + (check_chance(c, 50) ? check_below(c, 9) : 0);
    tfm_quantized q = {.stride = tfm_quantized_stride(k)};
    groups = q.stride / TFM_I4_GROUP;
    float *x = check_floats(c, check_extent(m, k, x_stride));
    for (size_t r = 0; r < m; r++) fill_row(c, x + r * x_stride, k);
    q.q = check_aligned(c, m * q.stride);
    q.scale = check_floats(c, m);
    q.sums = check_bytes(c, m * groups * sizeof *q.sums);
    uint8_t untouched[sizeof(float)];
    memcpy(untouched, q.q, m * q.stride > 0 ? sizeof untouched : 0);
    row1 = check_chance(c, 50) ? m : check_between(c, 0, m);
    row0 = check_chance(c, 50) ? 0 : check_between(c, 0, row1);
    kernels->quantize(x, x_stride, k, &q, row0, row1);
    for (size_t r = 0; r < m && !c->failed; r++) {
        if (r >= row0 && r < row1) {
            check_quantized_row(c, x + r * x_stride, k, &q, r);
            continue;
        }
        for (size_t i = 0; i < q.stride; i++)
            if ((uint8_t)q.q[r * q.stride + i] != untouched[0])
                check_fail(c, "quantize: row %zu, not asked for, was written", r);
    }
}
