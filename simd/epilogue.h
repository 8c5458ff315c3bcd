/* epilogue.h - what happens to 16 outputs of a product on their way out; see tfm_gemm_args. */
#ifndef TFM_SIMD_EPILOGUE_H
#define TFM_SIMD_EPILOGUE_H

#include "kernels.h"
#include "simd/v16/v16_math.h"

/* One row's 16 columns: bias, activation, gate, scale, residual, in this order. */
V16_INLINE void v16_epilogue(const tfm_gemm_args *g, size_t row, size_t panel, v16 y) {
    size_t column = panel * TFM_PANEL, n = g->w->n - column;
    bool full = n >= TFM_PANEL;
    if (g->bias) y = v16_add(y, full ? v16_load(g->bias + column) : v16_load_partial(g->bias + column, n));
    y = v16_activate(y, g->act);
    if (g->mul) {
        const float *mul = g->mul + row * g->mul_stride + column;
        y = v16_mul(y, full ? v16_load(mul) : v16_load_partial(mul, n));
    }
    if (g->scale != 1.0f) y = v16_mul(y, v16_set(g->scale));
    if (g->residual) {
        const float *residual = g->residual + row * g->residual_stride + column;
        y = v16_add(full ? v16_load(residual) : v16_load_partial(residual, n), y);
    }
    float *c = g->c + row * g->c_stride + column;
    if (full)
        v16_store(c, y);
    else
        v16_store_partial(c, y, n);
}

#endif
