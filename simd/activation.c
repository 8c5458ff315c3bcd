/* activation.c - element-wise kernels; compiled once per instruction set. */
#include "isa_kernels.h"
#include "simd/v16/v16_math.h"

/* act is a constant in every call of this, so that its switch leaves the loop. */
V16_INLINE void activate(const float *x, float *y, size_t n, const tfm_activation act, const float *mul) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v16 v = v16_activate(v16_load(x + i), act);
        v16_store(y + i, mul ? v16_mul(v, v16_load(mul + i)) : v);
    }
    if (i == n) return;
    v16 v = v16_activate(v16_load_partial(x + i, n - i), act);
    if (mul) v = v16_mul(v, v16_load_partial(mul + i, n - i));
    v16_store_partial(y + i, v, n - i);
}

void V16_NAME(tfm_activate)(const float *x, float *y, size_t n, tfm_activation act, const float *mul) {
    switch (act) {
    case TFM_ACT_RELU: activate(x, y, n, TFM_ACT_RELU, mul); return;
    case TFM_ACT_GELU_ERF: activate(x, y, n, TFM_ACT_GELU_ERF, mul); return;
    case TFM_ACT_GELU_TANH: activate(x, y, n, TFM_ACT_GELU_TANH, mul); return;
    case TFM_ACT_SILU: activate(x, y, n, TFM_ACT_SILU, mul); return;
    case TFM_ACT_TANH: activate(x, y, n, TFM_ACT_TANH, mul); return;
    case TFM_ACT_NONE:
    case TFM_ACT_COUNT: activate(x, y, n, TFM_ACT_NONE, mul); return;
    }
}

void V16_NAME(tfm_add)(float *y, const float *x, size_t n) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) v16_store(y + i, v16_add(v16_load(y + i), v16_load(x + i)));
    if (i < n) v16_store_partial(y + i, v16_add(v16_load_partial(y + i, n - i), v16_load_partial(x + i, n - i)), n - i);
}

void V16_NAME(tfm_soft_cap)(float *x, size_t n, float cap) {
    const v16 c = v16_set(cap);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) v16_store(x + i, v16_mul(c, v16_tanh(v16_div(v16_load(x + i), c))));
    if (i < n) v16_store_partial(x + i, v16_mul(c, v16_tanh(v16_div(v16_load_partial(x + i, n - i), c))), n - i);
}
