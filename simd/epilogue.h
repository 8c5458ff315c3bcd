/* epilogue.h - what happens to 16 outputs of a product on their way out; see tfm_gemm_args. */
#ifndef TFM_SIMD_EPILOGUE_H
#define TFM_SIMD_EPILOGUE_H

#include "kernels.h"
#include "simd/v16/v16_math.h"

/* One row's 16 columns: bias, activation, gate, scale, residual, in this order. */
V16_INLINE void v16_epilogue(const tfm_gemm_args *g, size_t row, size_t panel, v16 y) {
    size_t column = panel * TFM_PANEL, n = g->w->n - column;
    if (g->bias) y = v16_add(y, v16_load_up_to(g->bias + column, n));
    y = v16_activate(y, g->act);
    if (g->mul) y = v16_mul(y, v16_load_up_to(g->mul + row * g->mul_stride + column, n));
    if (g->scale != 1.0f) y = v16_mul(y, v16_set(g->scale));
    if (g->residual) y = v16_add(v16_load_up_to(g->residual + row * g->residual_stride + column, n), y);
    v16_store_up_to(g->c + row * g->c_stride + column, y, n);
}

#endif
