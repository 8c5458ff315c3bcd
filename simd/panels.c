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

/* Nearest integer to x / scale in [low, high]; 0 for scale 0. */
static int quantized(float x, float scale, int low, int high) {
    if (scale == 0.0f) return 0;
    double q = nearbyint((double)x / scale);
    return q < low ? low : q > high ? high : (int)q;
}

static float largest(const float *x, size_t n) {
    float max = 0.0f;
    for (size_t i = 0; i < n; i++) max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
    return max;
}

static void pack_int8(const float *rows, size_t row_stride, size_t n_rows, size_t k, unsigned char *panel) {
    float *scales = (float *)(void *)(panel + (k + 3) / 4 * 64);
    memset(panel, 128, (k + 3) / 4 * 64);
    for (size_t r = 0; r < TFM_PANEL; r++) {
        scales[r] = r < n_rows ? largest(rows + r * row_stride, k) / 127.0f : 0.0f;
        for (size_t c = 0; r < n_rows && c < k; c++)
            panel[c / 4 * 64 + r * 4 + c % 4] =
                (unsigned char)(128 + quantized(rows[r * row_stride + c], scales[r], -127, 127));
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

static void pack_int4(const float *rows, size_t row_stride, size_t n_rows, size_t k, unsigned char *panel) {
    size_t bytes = tfm_panel_bytes(TFM_I4, k);
    memset(panel, 0x88, bytes);
    for (size_t group = 0; group < bytes / TFM_I4_BLOCK_BYTES * 2; group++) {
        size_t first = group * TFM_I4_GROUP, n = first < k ? k - first : 0;
        if (n > TFM_I4_GROUP) n = TFM_I4_GROUP;
        for (size_t r = 0; r < TFM_PANEL; r++) {
            const float *row = rows + r * row_stride + first;
            uint16_t scale = r < n_rows && n > 0 ? tfm_f32_to_f16(largest(row, n) / 7.0f) : 0;
            int4_scales(panel, group)[r] = scale;
            for (size_t c = 0; r < n_rows && c < n; c++) {
                unsigned shift;
                size_t byte = int4_byte(first + c, r, &shift);
                int q = quantized(row[c], tfm_f16_to_f32(scale), -8, 7) + 8;
                panel[byte] = (unsigned char)((panel[byte] & ~(15 << shift)) | q << shift);
            }
        }
    }
}

static void unpack_int4(const unsigned char *panel, size_t n_rows, size_t k, float *rows, size_t row_stride) {
    for (size_t r = 0; r < n_rows; r++)
        for (size_t c = 0; c < k; c++) {
            unsigned shift;
            int q = panel[int4_byte(c, r, &shift)] >> shift & 15;
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
