/* softmax.c - softmax and its logarithm over one row; compiled once per instruction set. */
#include "isa_kernels.h"
#include "log.h"
#include "simd/v16/v16_math.h"

/* The largest element, NaNs passed over; -inf for none. */
static float largest(const float *x, size_t n) {
    const v16 least = v16_set(-INFINITY);
    v16 m = least;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) m = v16_max(v16_load(x + i), m);
    if (i < n) m = v16_max(v16_first(n - i, v16_load_partial(x + i, n - i), least), m);
    return v16_reduce_max(m);
}

/* exp(x - max) for the n <= 16 elements at x, 0 in lanes past them. */
V16_INLINE v16 exp_partial(const float *x, size_t n, v16 max) {
    return v16_first(n, v16_exp(v16_sub(v16_load_partial(x, n), max)), v16_set(0.0f));
}

void V16_NAME(tfm_softmax)(float *x, size_t n) {
    float max = largest(x, n);
    v16 shift = v16_set(max == -INFINITY ? 0.0f : max), s = v16_set(0.0f);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v16 e = v16_exp(v16_sub(v16_load(x + i), shift));
        s = v16_add(s, e);
        v16_store(x + i, e);
    }
    if (i < n) {
        v16 e = exp_partial(x + i, n - i, shift);
        s = v16_add(s, e);
        v16_store_partial(x + i, e, n - i);
    }
    float total = v16_reduce_add(s);
    if (total == 0.0f) return; /* nothing but -inf: already zeros */
    v16 divisor = v16_set(total);
    for (i = 0; i + 16 <= n; i += 16) v16_store(x + i, v16_div(v16_load(x + i), divisor));
    if (i < n) v16_store_partial(x + i, v16_div(v16_load_partial(x + i, n - i), divisor), n - i);
}

float V16_NAME(tfm_log_sum_exp)(const float *x, size_t n) {
    float max = largest(x, n);
    v16 shift = v16_set(max == -INFINITY ? 0.0f : max), s = v16_set(0.0f);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) s = v16_add(s, v16_exp(v16_sub(v16_load(x + i), shift)));
    if (i < n) s = v16_add(s, exp_partial(x + i, n - i, shift));
    float total = v16_reduce_add(s);
    if (total == 0.0f) return -INFINITY;
    return (float)((double)max + tfm_log(total));
}

void V16_NAME(tfm_log_softmax)(const float *x, float *y, size_t n) {
    v16 shift = v16_set(V16_NAME(tfm_log_sum_exp)(x, n));
    size_t i = 0;
    for (; i + 16 <= n; i += 16) v16_store(y + i, v16_sub(v16_load(x + i), shift));
    if (i < n) v16_store_partial(y + i, v16_sub(v16_load_partial(x + i, n - i), shift), n - i);
}
