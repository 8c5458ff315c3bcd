/* kv_store.h - moves keys and values into the cache's panels, one form for every instruction set. */
#ifndef TFM_SIMD_KV_STORE_H
#define TFM_SIMD_KV_STORE_H

#include "kernels.h"

void tfm_kv_store(const tfm_kv_view *to, size_t first, size_t n_rows, size_t head_dim, const float *key,
                  size_t key_stride, const float *value, size_t value_stride);

#endif
