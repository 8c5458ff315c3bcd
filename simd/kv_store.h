/* kv_store.h - moves keys and values into the cache's panels; no arithmetic, one form for every instruction set. */
#ifndef TFM_SIMD_KV_STORE_H
#define TFM_SIMD_KV_STORE_H

#include <stddef.h>
#include <stdint.h>

void tfm_kv_store(float *k, float *v, const uint32_t *pages, size_t page_stride, size_t first, size_t n_rows,
                  size_t head_dim, const float *key, size_t key_stride, const float *value, size_t value_stride);

#endif
