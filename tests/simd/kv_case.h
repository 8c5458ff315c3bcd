/* kv_case.h - a random cache of keys and values for the checks of attention and kv_store. */
#ifndef TFM_TESTS_SIMD_KV_CASE_H
#define TFM_TESTS_SIMD_KV_CASE_H

#include "checker.h"

typedef struct kv_case {
    tfm_dtype dtype;
    tfm_kv_layout layout;
    char *data; /* (n_pages, page_stride) bytes; the last page may end early */
    uint32_t *pages;
    size_t n_pages, page_stride, extent, head_dim, n_positions;
    float *key, *value;           /* (n_positions, head_dim), what is stored */
    float *held_key, *held_value; /* likewise, what the cache then stands for */
} kv_case;

/* Pages in random order, all bits set where no position is: NaN in keys and scales, so that who uses them is found out.
 */
void kv_case_make(check_case *c, kv_case *t, size_t n_positions, size_t head_dim);
tfm_kv_view kv_case_view(const kv_case *t);
/* Stores all positions with a table's kernel. */
void kv_case_fill(const kv_case *t, const tfm_kernels *k);

/*
 * The reference: what a cache's type makes of a row of n numbers. Returns the scale; elements get the numbers as they
 * lie in pages, held those they stand for.
 */
float kv_case_row(tfm_dtype dtype, const float *row, size_t n, void *elements, float *held);

#endif
