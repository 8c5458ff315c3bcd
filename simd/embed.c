/* embed.c - embedding gather from panels and from rows; compiled once per instruction set. */
#include "chain.h"
#include "isa_kernels.h"

static float widen(const void *data, tfm_dtype dtype, size_t element) {
    if (dtype == TFM_F32) return ((const float *)data)[element];
    uint16_t h = ((const uint16_t *)data)[element];
    return dtype == TFM_F16 ? tfm_f16_to_f32(h) : tfm_bf16_to_f32(h);
}

/* n <= 16 elements, one every `step`. */
static v16 gather(const tfm_matrix *table, size_t element, size_t step, size_t n) {
    if (step == 1 && n == 16) return v16_load_weights(table->data, table->dtype, element);
    V16_ALIGN float x[16] = {0};
    for (size_t i = 0; i < n; i++) x[i] = widen(table->data, table->dtype, element + i * step);
    return v16_load(x);
}

/* y = row * scale + position, rounded twice; the row's elements are `step` apart from `element` on. */
static void embed_row(const tfm_matrix *table, size_t element, size_t step, float scale, const float *position,
                      float *y) {
    v16 factor = v16_set(scale);
    for (size_t i = 0; i < table->k; i += 16) {
        size_t n = table->k - i < 16 ? table->k - i : 16;
        v16 x = v16_mul(gather(table, element + i * step, step, n), factor);
        if (position) x = v16_add(x, n == 16 ? v16_load(position + i) : v16_load_partial(position + i, n));
        if (n == 16)
            v16_store(y + i, x);
        else
            v16_store_partial(y + i, x, n);
    }
}

void V16_NAME(tfm_embed_panels)(const tfm_matrix *table, const int32_t *ids, size_t m, float scale,
                                const float *position, const uint32_t *positions, float *y, size_t y_stride) {
    for (size_t r = 0; r < m; r++) {
        size_t id = (size_t)ids[r], element = id / TFM_PANEL * table->k * TFM_PANEL + id % TFM_PANEL;
        const float *place = position ? position + positions[r] * table->k : NULL;
        embed_row(table, element, TFM_PANEL, scale, place, y + r * y_stride);
    }
}

void V16_NAME(tfm_embed_rows)(const tfm_matrix *table, const int32_t *ids, size_t m, float scale, const float *position,
                              const uint32_t *positions, float *y, size_t y_stride) {
    for (size_t r = 0; r < m; r++) {
        const float *place = position ? position + positions[r] * table->k : NULL;
        embed_row(table, (size_t)ids[r] * table->k, 1, scale, place, y + r * y_stride);
    }
}
