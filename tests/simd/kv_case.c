/* kv_case.c - see kv_case.h. */
#include "kv_case.h"

#include <string.h>

float kv_case_row(tfm_dtype dtype, const float *row, size_t n, void *elements, float *held) {
    float max = 0, scale = 1;
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        finite = finite && isfinite(row[i]);
        if (fabsf(row[i]) > max) max = fabsf(row[i]);
    }
    if (dtype == TFM_I8) scale = finite ? max / 127 : NAN;
    float factor = finite && max > 0 && isfinite(127 / max) ? 127 / max : 0;
    for (size_t i = 0; i < n; i++) {
        if (dtype == TFM_F32) {
            ((float *)elements)[i] = held[i] = row[i];
        } else if (dtype == TFM_F16) {
            ((uint16_t *)elements)[i] = tfm_f32_to_f16(row[i]);
            held[i] = tfm_f16_to_f32(((uint16_t *)elements)[i]);
        } else {
            ((int8_t *)elements)[i] = factor == 0 ? 0 : (int8_t)nearbyintf(row[i] * factor);
            held[i] = ((int8_t *)elements)[i] * scale;
        }
    }
    return scale;
}

void kv_case_make(check_case *c, kv_case *t, size_t n_positions, size_t head_dim) {
    static const tfm_dtype dtypes[] = {TFM_F32, TFM_F16, TFM_I8};
    size_t used = tfm_panel_count(n_positions), n = n_positions * head_dim;
    *t = (kv_case){.head_dim = head_dim, .n_positions = n_positions, .n_pages = used + check_below(c, 3)};
    t->dtype = dtypes[check_below(c, 3)];
    t->layout = tfm_kv_layout_of(t->dtype, head_dim);
    t->page_stride = t->layout.bytes + 64 * check_below(c, 2);
    t->extent = check_extent(t->n_pages, t->layout.bytes, t->page_stride);
    t->data = check_aligned(c, t->extent);
    memset(t->data, 0xff, t->extent);
    t->pages = check_bytes(c, used * sizeof *t->pages);
    size_t shift = t->n_pages ? check_below(c, t->n_pages) : 0;
    for (size_t i = 0; i < used; i++) t->pages[i] = (uint32_t)((used - 1 - i + shift) % t->n_pages);
    t->key = check_floats(c, n);
    t->value = check_floats(c, n);
    t->held_key = check_floats(c, n);
    t->held_value = check_floats(c, n);
    check_fill(c, t->key, n);
    check_fill(c, t->value, n);
    for (size_t i = 0; i < n && t->dtype == TFM_F16; i++) { /* at most 2^20 before */
        t->key[i] *= 0x1p-6f;
        t->value[i] *= 0x1p-6f;
    }
    void *elements = check_aligned(c, head_dim * sizeof(float));
    for (size_t i = 0; i < n; i += head_dim) {
        kv_case_row(t->dtype, t->key + i, head_dim, elements, t->held_key + i);
        kv_case_row(t->dtype, t->value + i, head_dim, elements, t->held_value + i);
    }
}

tfm_kv_view kv_case_view(const kv_case *t) {
    tfm_kv_view view = {.dtype = t->dtype,
                        .k = t->data + t->layout.k,
                        .v = t->data + t->layout.v,
                        .pages = t->pages,
                        .page_stride = t->page_stride};
    if (t->dtype == TFM_I8) {
        view.k_scale = (float *)(void *)(t->data + t->layout.k_scale);
        view.v_scale = (float *)(void *)(t->data + t->layout.v_scale);
    }
    return view;
}

void kv_case_fill(const kv_case *t, const tfm_kernels *k) {
    tfm_kv_view view = kv_case_view(t);
    k->kv_store(&view, 0, t->n_positions, t->head_dim, t->key, t->head_dim, t->value, t->head_dim);
}
