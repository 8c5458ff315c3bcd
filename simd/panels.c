/* panels.c - packing of panels, and moving what they hold. */
#include "panels.h"

#include <math.h>

size_t tfm_panel_bytes(tfm_dtype dtype, size_t k) {
    size_t bytes;
    if (dtype == TFM_I8) return k > TFM_I8_K_MAX ? 0 : tfm_i8_scales_at(k) + TFM_PANEL * sizeof(float);
    if (dtype == TFM_I4) return __builtin_mul_overflow(tfm_i4_blocks(k), TFM_I4_BLOCK_BYTES, &bytes) ? 0 : bytes;
    return __builtin_mul_overflow(k, TFM_PANEL * tfm_dtype_size(dtype), &bytes) ? 0 : bytes;
}

/* x rounded to the nearest integer, ties to even, for |x| below 2^22; two additions, which compilers vectorise. */
static inline float nearest(float x) {
    const float big = 0x1.8p23f;
    return (x + big) - big;
}

static float largest(const float *x, size_t n) {
    float max = 0.0f;
    for (size_t i = 0; i < n; i++) max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
    return max;
}

/* The largest weight of a row sets its scale: with 127 levels on either side, clipping it never paid. */
static void pack_int8(const float *rows, size_t row_stride, size_t n_rows, size_t k, unsigned char *panel) {
    float *scales = (float *)(void *)(panel + tfm_i8_scales_at(k));
    memset(panel, 128, tfm_i8_scales_at(k));
    memset(scales, 0, TFM_PANEL * sizeof(float));
    for (size_t r = 0; r < n_rows; r++) {
        const float *row = rows + r * row_stride;
        float scale = largest(row, k) / 127.0f;
        if (scale == 0.0f) continue; /* zeros, or too small for a scale */
        scales[r] = scale;
        for (size_t c = 0; c < k; c++) { /* a subnormal scale is coarse: the largest weight may be above 127 of it */
            float q = nearest(row[c] / scale);
            q = q < -127.0f ? -127.0f : q > 127.0f ? 127.0f : q;
            panel[tfm_i8_at(c, r)] = (unsigned char)(128 + (int)q);
        }
    }
}

static void unpack_int8(const unsigned char *panel, size_t n_rows, size_t k, float *rows, size_t row_stride) {
    const float *scales = (const float *)(const void *)(panel + tfm_i8_scales_at(k));
    for (size_t r = 0; r < n_rows; r++)
        for (size_t c = 0; c < k; c++) rows[r * row_stride + c] = (float)(panel[tfm_i8_at(c, r)] - 128) * scales[r];
}

/* A group of columns of all lanes of a panel, columns outermost so that loops over lanes vectorise. */
typedef struct int4_group {
    float x[TFM_I4_GROUP][TFM_PANEL];
} int4_group;

/* x * inverse to the nearest level. Comparing as integers lets compilers vectorise it, and NaN has a level too. */
static inline int int4_level(float x, float inverse) {
    const float big = 0x1.8p23f; /* where floats are a unit apart: what is added to it shows in its low bits */
    int q = (int)(tfm_bits_of_float(x * inverse + big) - 0x4b400000u);
    return q < -8 ? -8 : q > 7 ? 7 : q;
}

/* sum q x and sum q q of each lane, where q are the levels of x * inverse. */
static void int4_products(const int4_group *g, const float *inverse, float *qx, float *qq) {
    for (size_t i = 0; i < TFM_PANEL; i++) qx[i] = qq[i] = 0.0f;
    for (size_t c = 0; c < TFM_I4_GROUP; c++)
        for (size_t i = 0; i < TFM_PANEL; i++) {
            float q = (float)int4_level(g->x[c][i], inverse[i]);
            qx[i] += q * g->x[c][i];
            qq[i] += q * q;
        }
}

/*
 * The scale of each lane that leaves about the least squared error: least squares given the levels, over candidates
 * that put the weight of the largest magnitude at level -6 to -9, where -9 is clipped to -8. (So a scale has the
 * opposite sign of that weight.) With scale sum qx / sum qq the squares left are sum xx - (sum qx)^2 / sum qq. Against
 * the largest magnitude over 7 this takes a sixth off the error of real weights; more candidates take nothing more.
 */
static void int4_choose_scales(const int4_group *g, uint16_t *scales) {
    enum { CANDIDATES = 17 };
    float extreme[TFM_PANEL] = {0}, gain[TFM_PANEL] = {0}, chosen[TFM_PANEL] = {0};
    for (size_t c = 0; c < TFM_I4_GROUP; c++)
        for (size_t i = 0; i < TFM_PANEL; i++)
            extreme[i] = fabsf(g->x[c][i]) > fabsf(extreme[i]) ? g->x[c][i] : extreme[i];
    for (int candidate = 0; candidate < CANDIDATES; candidate++) {
        float inverse[TFM_PANEL], qx[TFM_PANEL], qq[TFM_PANEL], level = -6.0f - 0.1875f * (float)candidate;
        for (size_t i = 0; i < TFM_PANEL; i++) inverse[i] = extreme[i] != 0.0f ? level / extreme[i] : 0.0f;
        int4_products(g, inverse, qx, qq);
        for (size_t i = 0; i < TFM_PANEL; i++) {
            float taken = qq[i] > 0.0f ? qx[i] * qx[i] / qq[i] : 0.0f, scale = qq[i] > 0.0f ? qx[i] / qq[i] : 0.0f;
            bool better = taken > gain[i] && fabsf(scale) <= 65504.0f;
            gain[i] = better ? taken : gain[i];
            chosen[i] = better ? scale : chosen[i];
        }
    }
    for (size_t i = 0; i < TFM_PANEL; i++) scales[i] = tfm_f32_to_f16(chosen[i]);
}

/* Puts the scales and the levels that follow from them into a zeroed panel. */
static void int4_store_group(const int4_group *g, const uint16_t *scales, unsigned char *panel, size_t group) {
    float inverse[TFM_PANEL];
    for (size_t i = 0; i < TFM_PANEL; i++) {
        float scale = tfm_f16_to_f32(scales[i]);
        inverse[i] = scale != 0.0f ? 1.0f / scale : 0.0f;
    }
    memcpy(panel + tfm_i4_scales_at(group), scales, TFM_PANEL * sizeof *scales);
    for (size_t c = 0; c < TFM_I4_GROUP; c++)
        for (size_t i = 0; i < TFM_PANEL; i++) {
            size_t column = group * TFM_I4_GROUP + c, byte = tfm_i4_at(column, i);
            unsigned level = (unsigned)(int4_level(g->x[c][i], inverse[i]) + 8);
            panel[byte] = (unsigned char)(panel[byte] | level << (tfm_i4_high(column) ? 4 : 0));
        }
}

static void pack_int4(const float *rows, size_t row_stride, size_t n_rows, size_t k, unsigned char *panel) {
    size_t bytes = tfm_panel_bytes(TFM_I4, k);
    memset(panel, 0, bytes);
    for (size_t group = 0; group < bytes / TFM_I4_BLOCK_BYTES * 2; group++) {
        int4_group g = {0};
        uint16_t scales[TFM_PANEL];
        size_t first = group * TFM_I4_GROUP, n = first < k ? k - first : 0;
        if (n > TFM_I4_GROUP) n = TFM_I4_GROUP;
        for (size_t r = 0; r < n_rows; r++)
            for (size_t c = 0; c < n; c++) g.x[c][r] = rows[r * row_stride + first + c];
        int4_choose_scales(&g, scales);
        int4_store_group(&g, scales, panel, group);
    }
}

static void unpack_int4(const unsigned char *panel, size_t n_rows, size_t k, float *rows, size_t row_stride) {
    for (size_t r = 0; r < n_rows; r++)
        for (size_t c = 0; c < k; c++) {
            unsigned char both = panel[tfm_i4_at(c, r)];
            int q = tfm_i4_high(c) ? both >> 4 : both & 15;
            const uint16_t *scales = (const uint16_t *)(const void *)(panel + tfm_i4_scales_at(c / TFM_I4_GROUP));
            rows[r * row_stride + c] = (float)(q - 8) * tfm_f16_to_f32(scales[r]);
        }
}

void tfm_panel_pack(const float *rows, size_t row_stride, size_t n_rows, size_t k, tfm_dtype dtype, void *panel) {
    if (dtype == TFM_I8) {
        pack_int8(rows, row_stride, n_rows, k, panel);
        return;
    }
    if (dtype == TFM_I4) {
        pack_int4(rows, row_stride, n_rows, k, panel);
        return;
    }
    for (size_t c = 0; c < k; c++)
        for (size_t r = 0; r < TFM_PANEL; r++) {
            float x = r < n_rows ? rows[r * row_stride + c] : 0.0f;
            size_t i = tfm_float_at(c, r);
            if (dtype == TFM_F32)
                ((float *)panel)[i] = x;
            else
                ((uint16_t *)panel)[i] = dtype == TFM_F16 ? tfm_f32_to_f16(x) : tfm_f32_to_bf16(x);
        }
}

void tfm_panel_unpack(const void *panel, tfm_dtype dtype, size_t n_rows, size_t k, float *rows, size_t row_stride) {
    if (dtype == TFM_I8) {
        unpack_int8(panel, n_rows, k, rows, row_stride);
        return;
    }
    if (dtype == TFM_I4) {
        unpack_int4(panel, n_rows, k, rows, row_stride);
        return;
    }
    for (size_t r = 0; r < n_rows; r++)
        for (size_t c = 0; c < k; c++) {
            size_t i = tfm_float_at(c, r);
            if (dtype == TFM_F32)
                rows[r * row_stride + c] = ((const float *)panel)[i];
            else {
                uint16_t h = ((const uint16_t *)panel)[i];
                rows[r * row_stride + c] = dtype == TFM_F16 ? tfm_f16_to_f32(h) : tfm_bf16_to_f32(h);
            }
        }
}

void tfm_panel_rows(const void *panel, tfm_dtype dtype, size_t k, size_t lane, size_t n_rows, void *rows) {
    const size_t size = tfm_dtype_size(dtype);
    const char *from = panel;
    char *to = rows;
    for (size_t r = 0; r < n_rows; r++)
        for (size_t c = 0; c < k; c++) memcpy(to + (r * k + c) * size, from + tfm_float_at(c, lane + r) * size, size);
}

/* n lines of a panel, each of `unit` bytes a lane. */
static void copy_lane(char *to, size_t to_lane, const char *from, size_t from_lane, size_t unit, size_t n) {
    to += to_lane * unit;
    from += from_lane * unit;
    for (size_t i = 0; i < n; i++) memcpy(to + i * TFM_PANEL * unit, from + i * TFM_PANEL * unit, unit);
}

void tfm_panels_copy_row(tfm_dtype dtype, size_t k, void *to, size_t to_row, const void *from, size_t from_row) {
    const size_t bytes = tfm_panel_bytes(dtype, k), to_lane = to_row % TFM_PANEL, from_lane = from_row % TFM_PANEL;
    char *into = (char *)to + to_row / TFM_PANEL * bytes;
    const char *out_of = (const char *)from + from_row / TFM_PANEL * bytes;
    if (dtype == TFM_I4) {
        const size_t scales = tfm_i4_scales_at(0), lines = TFM_I4_BLOCK / TFM_I4_LINE;
        for (size_t block = 0; block < bytes; block += TFM_I4_BLOCK_BYTES) {
            copy_lane(into + block, to_lane, out_of + block, from_lane, TFM_LINE_BYTES / TFM_PANEL, lines);
            copy_lane(into + block + scales, to_lane, out_of + block + scales, from_lane, sizeof(uint16_t),
                      TFM_I4_BLOCK / TFM_I4_GROUP);
        }
    } else if (dtype == TFM_I8) { /* a lane has 4 bytes of each line, and 4 of the scales behind them */
        copy_lane(into, to_lane, out_of, from_lane, sizeof(float), tfm_i8_lines(k) + 1);
    } else {
        copy_lane(into, to_lane, out_of, from_lane, tfm_dtype_size(dtype), k);
    }
}
