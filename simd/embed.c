/* embed.c - embedding gather from panels and from rows; compiled once per instruction set. */
#include "chain.h"
#include "isa_kernels.h"

/* A row of a table: its elements together, or lane `lane` of the panel at `data`. */
typedef struct entry {
    const unsigned char *data;
    tfm_dtype dtype;
    size_t k, lane;
} entry;

/* Elements i .. i + n - 1 (n <= 16) of a lane of a panel of floats. */
static v16 from_panel(const entry *e, size_t i, size_t n) {
    size_t element = tfm_float_at(i, e->lane);
    if (e->dtype == TFM_F32) {
        V16_ALIGN float x[TFM_PANEL] = {0};
        const float *from = (const float *)(const void *)e->data + element;
        for (size_t j = 0; j < n; j++) x[j] = from[j * TFM_PANEL];
        return v16_load(x);
    }
    V16_ALIGN uint16_t h[TFM_PANEL] = {0};
    const uint16_t *from = (const uint16_t *)(const void *)e->data + element;
    for (size_t j = 0; j < n; j++) h[j] = from[j * TFM_PANEL];
    return e->dtype == TFM_F16 ? v16_load_f16(h) : v16_load_bf16(h);
}

/* Likewise of int8. */
static v16 from_int8(const entry *e, size_t i, size_t n) {
    V16_ALIGN float x[TFM_PANEL] = {0};
    float scale;
    memcpy(&scale, e->data + tfm_i8_scales_at(e->k) + e->lane * sizeof scale, sizeof scale);
    for (size_t j = 0; j < n; j++) x[j] = (float)(e->data[tfm_i8_at(i + j, e->lane)] - 128);
    return v16_mul(v16_load(x), v16_set(scale));
}

/* Likewise of int4; i is a multiple of 16, and the columns are padded to one of 64: two whole lines. */
static v16 from_int4(const entry *e, size_t i) {
    V16_ALIGN float x[TFM_PANEL];
    uint16_t scale;
    memcpy(&scale, e->data + tfm_i4_scales_at(i / TFM_I4_GROUP) + e->lane * sizeof scale, sizeof scale);
    for (size_t line = 0; line < TFM_PANEL / TFM_I4_LINE; line++) {
        const unsigned char *four = e->data + tfm_i4_at(i + line * TFM_I4_LINE, e->lane);
        for (size_t j = 0; j < 4; j++) {
            x[line * TFM_I4_LINE + j] = (float)((four[j] & 15) - 8);
            x[line * TFM_I4_LINE + 4 + j] = (float)((four[j] >> 4) - 8);
        }
    }
    return v16_mul(v16_load(x), v16_set(tfm_f16_to_f32(scale)));
}

/* Likewise of a row that lies together. */
static v16 from_row(const entry *e, size_t i, size_t n) {
    if (n == TFM_PANEL) return v16_load_weights(e->data, e->dtype, i);
    if (e->dtype == TFM_F32) return v16_load_partial((const float *)(const void *)e->data + i, n);
    V16_ALIGN uint16_t h[TFM_PANEL] = {0};
    memcpy(h, (const uint16_t *)(const void *)e->data + i, n * sizeof *h);
    return e->dtype == TFM_F16 ? v16_load_f16(h) : v16_load_bf16(h);
}

/* y = row * scale + position, rounded twice. */
static void embed_row(const entry *e, bool panels, float scale, const float *position, float *y) {
    v16 factor = v16_set(scale);
    for (size_t i = 0; i < e->k; i += TFM_PANEL) {
        size_t n = e->k - i < TFM_PANEL ? e->k - i : TFM_PANEL;
        v16 x = !panels              ? from_row(e, i, n)
                : e->dtype == TFM_I8 ? from_int8(e, i, n)
                : e->dtype == TFM_I4 ? from_int4(e, i)
                                     : from_panel(e, i, n);
        x = v16_mul(x, factor);
        if (position) x = v16_add(x, v16_load_up_to(position + i, n));
        v16_store_up_to(y + i, x, n);
    }
}

void V16_NAME(tfm_embed_panels)(const tfm_matrix *table, const int32_t *ids, size_t m, float scale,
                                const float *position, const uint32_t *positions, float *y, size_t y_stride) {
    size_t bytes = tfm_panel_bytes(table->dtype, table->k);
    for (size_t r = 0; r < m; r++) {
        size_t id = (size_t)ids[r];
        entry e = {(const unsigned char *)table->data + id / TFM_PANEL * bytes, table->dtype, table->k, id % TFM_PANEL};
        embed_row(&e, true, scale, position ? position + positions[r] * table->k : NULL, y + r * y_stride);
    }
}

void V16_NAME(tfm_embed_rows)(const tfm_matrix *table, const int32_t *ids, size_t m, float scale, const float *position,
                              const uint32_t *positions, float *y, size_t y_stride) {
    size_t bytes = table->k * tfm_dtype_size(table->dtype);
    for (size_t r = 0; r < m; r++) {
        entry e = {(const unsigned char *)table->data + (size_t)ids[r] * bytes, table->dtype, table->k, 0};
        embed_row(&e, false, scale, position ? position + positions[r] * table->k : NULL, y + r * y_stride);
    }
}
