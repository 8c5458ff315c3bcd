/* panels.c - element types, conversions between them, packing of panels. */
#include "panels.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[TFM_DTYPE_COUNT] = {[TFM_F32] = {"f32", 4},
                             [TFM_F16] = {"f16", 2},
                             [TFM_BF16] = {"bf16", 2},
                             [TFM_I8] = {"int8", 0},
                             [TFM_I4] = {"int4", 0}};

static bool dtype_known(tfm_dtype dtype) { return (unsigned)dtype < TFM_DTYPE_COUNT; }

size_t tfm_dtype_size(tfm_dtype dtype) { return dtype_known(dtype) ? dtypes[dtype].size : 0; }

float tfm_dtype_bound(tfm_dtype dtype) {
    static const float bounds[TFM_DTYPE_COUNT] = {
        [TFM_F32] = INFINITY,
        [TFM_F16] = 65520.0f,      /* halfway between the largest f16 and 65536; ties go to even, which is up here */
        [TFM_BF16] = 0x1.ffp+127f, /* halfway between the largest bf16 and 2^128 */
        [TFM_I8] = 0x1p+127f,      /* 127 times a rounded scale stays finite */
        [TFM_I4] = 7.0f * 65504.0f};
    return dtype_known(dtype) ? bounds[dtype] : 0.0f;
}

size_t tfm_panel_bytes(tfm_dtype dtype, size_t k) {
    size_t bytes;
    if (dtype == TFM_I8) return k > TFM_I8_K_MAX ? 0 : (k + 3) / 4 * 64 + TFM_PANEL * sizeof(float);
    if (dtype == TFM_I4) {
        size_t blocks = k / TFM_I4_BLOCK + (k % TFM_I4_BLOCK != 0);
        return __builtin_mul_overflow(blocks, TFM_I4_BLOCK_BYTES, &bytes) ? 0 : bytes;
    }
    return __builtin_mul_overflow(k, TFM_PANEL * tfm_dtype_size(dtype), &bytes) ? 0 : bytes;
}

const char *tfm_dtype_name(tfm_dtype dtype) { return dtype_known(dtype) ? dtypes[dtype].name : "unknown"; }

tfm_dtype tfm_dtype_parse(const char *name) {
    for (unsigned i = 0; i < TFM_DTYPE_COUNT; i++)
        if (strcmp(name, dtypes[i].name) == 0) return (tfm_dtype)i;
    return TFM_DTYPE_COUNT;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Rounds bits away from the low end, to nearest, ties to even. */
static uint32_t shift_round(uint32_t bits, unsigned shift) {
    uint32_t half = (uint32_t)1 << (shift - 1), rest = bits & (2 * half - 1), q = bits >> shift;
    return q + (rest > half || (rest == half && (q & 1)));
}

float tfm_f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff;
    if (exponent == 0) { /* zero or subnormal: mantissa x 2^-24, exact in float */
        float x = (float)mantissa * 0x1p-24f;
        return float_of(sign | bits_of(x));
    }
    if (exponent == 31) /* a signalling NaN becomes quiet, as the processors' own conversions make it */
        return float_of(sign | 0x7f800000 | mantissa << 13 | (uint32_t)(mantissa != 0) << 22);
    return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

float tfm_bf16_to_f32(uint16_t h) { return float_of((uint32_t)h << 16); }

uint16_t tfm_f32_to_f16(float x) {
    uint32_t bits = bits_of(x), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and above round to infinity */
    if (magnitude >= 0x38800000) return (uint16_t)(sign | shift_round(magnitude - (112u << 23), 13));
    if (magnitude < 0x33000000) return sign; /* below half the smallest subnormal, 2^-25 */
    uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    return (uint16_t)(sign | shift_round(mantissa, 126 - (magnitude >> 23)));
}

uint16_t tfm_f32_to_bf16(float x) {
    uint32_t bits = bits_of(x);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)shift_round(bits, 16);
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
    float *scales = (float *)(void *)(panel + (k + 3) / 4 * 64);
    memset(panel, 128, (k + 3) / 4 * 64);
    memset(scales, 0, TFM_PANEL * sizeof(float));
    for (size_t r = 0; r < n_rows; r++) {
        const float *row = rows + r * row_stride;
        float scale = largest(row, k) / 127.0f;
        if (scale == 0.0f) continue; /* zeros, or too small for a scale */
        scales[r] = scale;
        for (size_t c = 0; c < k; c++) { /* a subnormal scale is coarse: the largest weight may be above 127 of it */
            float q = nearest(row[c] / scale);
            q = q < -127.0f ? -127.0f : q > 127.0f ? 127.0f : q;
            panel[c / 4 * 64 + r * 4 + c % 4] = (unsigned char)(128 + (int)q);
        }
    }
}

static void unpack_int8(const unsigned char *panel, size_t n_rows, size_t k, float *rows, size_t row_stride) {
    const float *scales = (const float *)(const void *)(panel + (k + 3) / 4 * 64);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t c = 0; c < k; c++)
            rows[r * row_stride + c] = (float)(panel[c / 4 * 64 + r * 4 + c % 4] - 128) * scales[r];
}

/* Where column c of a lane stands in an int4 panel: its byte, and by how much it is shifted there. */
static size_t int4_byte(size_t c, size_t lane, unsigned *shift) {
    *shift = c % 8 < 4 ? 0 : 4;
    return c / TFM_I4_BLOCK * TFM_I4_BLOCK_BYTES + c % TFM_I4_BLOCK / TFM_I4_GROUP * 256 + c % TFM_I4_GROUP / 8 * 64 +
           lane * 4 + c % 4;
}

static uint16_t *int4_scales(unsigned char *panel, size_t group) {
    return (uint16_t *)(void *)(panel + group / 2 * TFM_I4_BLOCK_BYTES + 512) + group % 2 * TFM_PANEL;
}

/* A group of columns of all lanes of a panel, columns outermost so that loops over lanes vectorise. */
typedef struct int4_group {
    float x[TFM_I4_GROUP][TFM_PANEL];
} int4_group;

/* x * inverse to the nearest level. Comparing as integers lets compilers vectorise it, and NaN has a level too. */
static inline int int4_level(float x, float inverse) {
    const float big = 0x1.8p23f; /* where floats are a unit apart: what is added to it shows in its low bits */
    int q = (int)(bits_of(x * inverse + big) - 0x4b400000u);
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
    memcpy(int4_scales(panel, group), scales, TFM_PANEL * sizeof(*scales));
    for (size_t c = 0; c < TFM_I4_GROUP; c++)
        for (size_t i = 0; i < TFM_PANEL; i++) {
            unsigned shift, level = (unsigned)(int4_level(g->x[c][i], inverse[i]) + 8);
            size_t byte = int4_byte(group * TFM_I4_GROUP + c, i, &shift);
            panel[byte] = (unsigned char)(panel[byte] | level << shift);
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
            unsigned shift;
            size_t byte = int4_byte(c, r, &shift);
            int q = panel[byte] >> shift & 15;
            uint16_t scale = int4_scales((unsigned char *)panel, c / TFM_I4_GROUP)[r];
            rows[r * row_stride + c] = (float)(q - 8) * tfm_f16_to_f32(scale);
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
            size_t i = c * TFM_PANEL + r;
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
            size_t i = c * TFM_PANEL + r;
            if (dtype == TFM_F32)
                rows[r * row_stride + c] = ((const float *)panel)[i];
            else {
                uint16_t h = ((const uint16_t *)panel)[i];
                rows[r * row_stride + c] = dtype == TFM_F16 ? tfm_f16_to_f32(h) : tfm_bf16_to_f32(h);
            }
        }
}
