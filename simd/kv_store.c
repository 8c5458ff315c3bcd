/*
 * kv_store.c - moves keys and values into the cache's pages, rounded or quantised; compiled once per instruction set.
 *
 * A row is brought to numbers of the cache's type 16 features at a time. Where a page gets several rows at once, keys
 * are transposed in squares of 16 x 16; one row's key is scattered, since its features lie 16 elements apart.
 */
#include "isa_kernels.h"

/* What int8 needs of a row: its scale and the factor that makes integers of it; the factor is 1 for other types. */
typedef struct row_scale {
    float scale, factor;
} row_scale;

static row_scale scale_of(const float *x, size_t n) {
    v16 max = v16_set(0.0f), zero = v16_set(0.0f), zeros = zero; /* infinity or NaN, times 0, is NaN */
    for (size_t i = 0; i < n; i += TFM_PANEL) {
        v16 y = v16_load_up_to(x + i, n - i);
        max = v16_max(v16_abs(y), max);
        zeros = v16_fma(y, zero, zeros);
    }
    if (v16_reduce_add(zeros) != 0.0f) return (row_scale){NAN, 0.0f};
    float top = v16_reduce_max(max), factor = 127.0f / top;
    return (row_scale){top / 127.0f, top > 0.0f && isfinite(factor) ? factor : 0.0f};
}

/* x * factor, or 0 where the row cannot be quantised (its elements may be infinite). */
V16_INLINE v16 scaled(v16 x, float factor) { return factor == 0.0f ? v16_set(0.0f) : v16_mul(x, v16_set(factor)); }

V16_INLINE void store_numbers(char *to, tfm_dtype dtype, v16 x) {
    if (dtype == TFM_F32)
        v16_store((float *)(void *)to, x);
    else if (dtype == TFM_F16)
        v16_store_f16((uint16_t *)(void *)to, x);
    else
        v16_store_i8((int8_t *)to, x);
}

/* A position's features in panels of TFM_PANEL; v16_load_up_to makes the lanes past head_dim 0. */
V16_INLINE void store_value(char *page, const tfm_dtype dtype, size_t lane, const float *value, size_t head_dim,
                            float factor) {
    for (size_t d = 0; d < head_dim; d += TFM_PANEL) {
        v16 x = v16_load_up_to(value + d, head_dim - d);
        store_numbers(page + (d + lane) * TFM_PANEL * tfm_number_bytes(dtype), dtype,
                      dtype == TFM_I8 ? scaled(x, factor) : x);
    }
}

/* One position's features, TFM_PANEL elements apart. */
V16_INLINE void scatter_key(char *page, const tfm_dtype dtype, size_t lane, const float *key, size_t head_dim,
                            float factor) {
    V16_ALIGN char numbers[TFM_PANEL * sizeof(float)];
    const size_t size = tfm_number_bytes(dtype);
    for (size_t d = 0; d < head_dim; d += TFM_PANEL) {
        size_t n = head_dim - d < TFM_PANEL ? head_dim - d : TFM_PANEL;
        v16 x = v16_load_up_to(key + d, n);
        store_numbers(numbers, dtype, dtype == TFM_I8 ? scaled(x, factor) : x);
        for (size_t i = 0; i < n; i++) memcpy(page + ((d + i) * TFM_PANEL + lane) * size, numbers + i * size, size);
    }
}

/* Keys of n_rows positions from `lane` on: whole lines of a full page, part of a line otherwise. */
V16_INLINE void transpose_keys(char *page, const tfm_dtype dtype, size_t lane, size_t n_rows, const float *key,
                               size_t key_stride, size_t head_dim, const float *factors) {
    V16_ALIGN float rows[TFM_PANEL * TFM_PANEL], columns[TFM_PANEL * TFM_PANEL];
    V16_ALIGN char numbers[TFM_PANEL * sizeof(float)];
    const size_t size = tfm_number_bytes(dtype);
    memset(rows, 0, sizeof rows);
    for (size_t d = 0; d < head_dim; d += TFM_PANEL) {
        size_t n = head_dim - d < TFM_PANEL ? head_dim - d : TFM_PANEL;
        for (size_t r = 0; r < n_rows; r++) {
            v16 x = v16_load_up_to(key + r * key_stride + d, n);
            v16_store(rows + r * TFM_PANEL, dtype == TFM_I8 ? scaled(x, factors[r]) : x);
        }
        v16_transpose(rows, columns);
        for (size_t i = 0; i < n; i++) {
            char *to = page + ((d + i) * TFM_PANEL + lane) * size;
            v16 x = v16_load(columns + i * TFM_PANEL);
            if (n_rows == TFM_PANEL) {
                store_numbers(to, dtype, x);
            } else if (dtype == TFM_F32) {
                v16_store_partial((float *)(void *)to, x, n_rows);
            } else {
                store_numbers(numbers, dtype, x);
                memcpy(to, numbers, n_rows * size);
            }
        }
    }
}

/* Rows that go to one page, from `lane` on. */
V16_INLINE void store_rows(const tfm_kv_view *to, const tfm_dtype dtype, size_t page, size_t lane, size_t n_rows,
                           size_t head_dim, const float *key, size_t key_stride, const float *value,
                           size_t value_stride) {
    enum { TRANSPOSE_FROM = 4 }; /* rows from which transposing them beats scattering each */
    char *k = (char *)to->k + page, *v = (char *)to->v + page;
    float factors[TFM_PANEL];
    for (size_t r = 0; r < n_rows; r++) {
        row_scale of_key = {0}, of_value = {0};
        if (dtype == TFM_I8) {
            of_key = scale_of(key + r * key_stride, head_dim);
            of_value = scale_of(value + r * value_stride, head_dim);
            ((float *)(void *)((char *)to->k_scale + page))[lane + r] = of_key.scale;
            ((float *)(void *)((char *)to->v_scale + page))[lane + r] = of_value.scale;
        }
        factors[r] = of_key.factor;
        store_value(v, dtype, lane + r, value + r * value_stride, head_dim, of_value.factor);
        if (n_rows < TRANSPOSE_FROM) scatter_key(k, dtype, lane + r, key + r * key_stride, head_dim, of_key.factor);
    }
    if (n_rows >= TRANSPOSE_FROM) transpose_keys(k, dtype, lane, n_rows, key, key_stride, head_dim, factors);
}

void V16_NAME(tfm_kv_store)(const tfm_kv_view *to, size_t first, size_t n_rows, size_t head_dim, const float *key,
                            size_t key_stride, const float *value, size_t value_stride) {
    for (size_t r = 0; r < n_rows;) {
        size_t position = first + r, lane = position % TFM_PANEL, n = TFM_PANEL - lane;
        if (n > n_rows - r) n = n_rows - r;
        size_t page = to->pages[position / TFM_PANEL] * to->page_stride;
        const float *k = key + r * key_stride, *v = value + r * value_stride;
        switch (to->dtype) {
        case TFM_F16: store_rows(to, TFM_F16, page, lane, n, head_dim, k, key_stride, v, value_stride); break;
        case TFM_I8: store_rows(to, TFM_I8, page, lane, n, head_dim, k, key_stride, v, value_stride); break;
        default: store_rows(to, TFM_F32, page, lane, n, head_dim, k, key_stride, v, value_stride); break;
        }
        r += n;
    }
}
