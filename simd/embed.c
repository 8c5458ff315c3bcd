/* embed.c - embedding gather from panels and from rows; compiled once per instruction set. */
#include "chain.h"
#include "isa_kernels.h"

/* The parts of a table that a row's elements are in: for panels, lane `lane` of `data`. */
typedef struct source {
    const unsigned char *data;
    tfm_dtype dtype;
    size_t k, lane;
} source;

/* Elements i .. i + n - 1 (n <= 16) of a lane of a panel of floats. */
static v16 from_panel(const source *s, size_t i, size_t n) {
    size_t element = i * TFM_PANEL + s->lane;
    if (s->dtype == TFM_F32) {
        V16_ALIGN float x[TFM_PANEL] = {0};
        const float *from = (const float *)(const void *)s->data + element;
        for (size_t j = 0; j < n; j++) x[j] = from[j * TFM_PANEL];
        return v16_load(x);
    }
    V16_ALIGN uint16_t h[TFM_PANEL] = {0};
    const uint16_t *from = (const uint16_t *)(const void *)s->data + element;
    for (size_t j = 0; j < n; j++) h[j] = from[j * TFM_PANEL];
    return s->dtype == TFM_F16 ? v16_load_f16(h) : v16_load_bf16(h);
}

/* Likewise of int8. */
static v16 from_int8(const source *s, size_t i, size_t n) {
    V16_ALIGN float x[TFM_PANEL] = {0};
    float scale;
    memcpy(&scale, s->data + tfm_i8_scales_at(s->k) + s->lane * sizeof scale, sizeof scale);
    for (size_t j = 0; j < n; j++) x[j] = (float)(s->data[tfm_i8_at(i + j, s->lane)] - 128);
    return v16_mul(v16_load(x), v16_set(scale));
}

/* Likewise of int4; i is a multiple of 16, and the columns are padded to one of 64: two whole lines. */
static v16 from_int4(const source *s, size_t i) {
    V16_ALIGN float x[TFM_PANEL];
    uint16_t scale;
    memcpy(&scale, s->data + tfm_i4_scales_at(i / TFM_I4_GROUP) + s->lane * sizeof scale, sizeof scale);
    for (size_t line = 0; line < TFM_PANEL / TFM_I4_LINE; line++) {
        const unsigned char *four = s->data + tfm_i4_at(i + line * TFM_I4_LINE, s->lane);
        for (size_t j = 0; j < 4; j++) {
            x[line * TFM_I4_LINE + j] = (float)((four[j] & 15) - 8);
            x[line * TFM_I4_LINE + 4 + j] = (float)((four[j] >> 4) - 8);
        }
    }
    return v16_mul(v16_load(x), v16_set(tfm_f16_to_f32(scale)));
}

/* Likewise of a row that lies together. */
static v16 from_row(const source *s, size_t i, size_t n) {
    if (n == TFM_PANEL) return v16_load_weights(s->data, s->dtype, i);
    if (s->dtype == TFM_F32) return v16_load_partial((const float *)(const void *)s->data + i, n);
    V16_ALIGN uint16_t h[TFM_PANEL] = {0};
    memcpy(h, (const uint16_t *)(const void *)s->data + i, n * sizeof *h);
    return s->dtype == TFM_F16 ? v16_load_f16(h) : v16_load_bf16(h);
}

/* y = row * scale + position, rounded twice. */
static void embed_row(const source *s, bool panels, float scale, const float *position, float *y) {
    v16 factor = v16_set(scale);
    for (size_t i = 0; i < s->k; i += TFM_PANEL) {
        size_t n = s->k - i < TFM_PANEL ? s->k - i : TFM_PANEL;
        v16 x = !panels              ? from_row(s, i, n)
                : s->dtype == TFM_I8 ? from_int8(s, i, n)
                : s->dtype == TFM_I4 ? from_int4(s, i)
                                     : from_panel(s, i, n);
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
        source s = {(const unsigned char *)table->data + id / TFM_PANEL * bytes, table->dtype, table->k,
                    id % TFM_PANEL};
        embed_row(&s, true, scale, position ? position + positions[r] * table->k : NULL, y + r * y_stride);
    }
}

void V16_NAME(tfm_embed_rows)(const tfm_matrix *table, const int32_t *ids, size_t m, float scale, const float *position,
                              const uint32_t *positions, float *y, size_t y_stride) {
    size_t bytes = table->k * tfm_dtype_size(table->dtype);
    for (size_t r = 0; r < m; r++) {
        source s = {(const unsigned char *)table->data + (size_t)ids[r] * bytes, table->dtype, table->k, 0};
        embed_row(&s, false, scale, position ? position + positions[r] * table->k : NULL, y + r * y_stride);
    }
}
