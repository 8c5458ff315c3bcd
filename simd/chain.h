/*
 * chain.h - the inner loop of every product: an R x P tile of chains of fused multiply-adds.
 *
 * acc[r * P + j] = fma(a[r][k], w[j][k], acc) for k = 0 .. n_k - 1, in order. R and P are constants at every call, so
 * that the loops over them unroll and acc lives in registers. Tiles share loads, never sums: their shape cannot change
 * a result.
 */
#ifndef TFM_SIMD_CHAIN_H
#define TFM_SIMD_CHAIN_H

#include "kernels.h"
#include "simd/v16/v16.h"
#include "tiles.h"

V16_INLINE v16 v16_load_weights(const void *w, tfm_dtype dtype, size_t element) {
    if (dtype == TFM_F32) return v16_load((const float *)w + element);
    if (dtype == TFM_I8) return v16_load_i8((const int8_t *)w + element);
    const uint16_t *h = (const uint16_t *)w + element;
    return dtype == TFM_F16 ? v16_load_f16(h) : v16_load_bf16(h);
}

/* a: rows a_stride apart; w[j]: 16 elements for each k. prefetch: elements ahead to fetch of each w[j], 0 for none. */
V16_INLINE void v16_chain(const int R, const int P, v16 *acc, const float *a, size_t a_stride, const void *const *w,
                          tfm_dtype dtype, size_t n_k, const size_t prefetch) {
    const size_t size = tfm_number_bytes(dtype);
    for (size_t k = 0; k < n_k; k++) {
        v16 b[TILE_PANELS_MAX];
        if (R == 1) { /* each weight is used once: loading it late keeps the accumulators in registers */
            v16 x = v16_set(a[k]);
            V16_FOR(j, P) {
                if (prefetch) __builtin_prefetch((const char *)w[j] + (k * TFM_PANEL + prefetch) * size);
                acc[j] = v16_fma(x, v16_load_weights(w[j], dtype, k * TFM_PANEL), acc[j]);
            }
            continue;
        }
        V16_FOR(j, P) {
            b[j] = v16_load_weights(w[j], dtype, k * TFM_PANEL);
            if (prefetch) __builtin_prefetch((const char *)w[j] + (k * TFM_PANEL + prefetch) * size);
        }
        V16_FOR(r, R) {
            v16 x = v16_set(a[r * a_stride + k]);
            V16_FOR(j, P) acc[r * P + j] = v16_fma(x, b[j], acc[r * P + j]);
        }
    }
}

#endif
