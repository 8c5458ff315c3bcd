/* panels.c - element types, conversions between them, packing of panels. */
#include "panels.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[TFM_DTYPE_COUNT] = {[TFM_F32] = {"f32", 4}, [TFM_F16] = {"f16", 2}, [TFM_BF16] = {"bf16", 2}};

static bool dtype_known(tfm_dtype dtype) { return (unsigned)dtype < TFM_DTYPE_COUNT; }

size_t tfm_dtype_size(tfm_dtype dtype) { return dtype_known(dtype) ? dtypes[dtype].size : 0; }

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

void tfm_panel_pack(const float *rows, size_t row_stride, size_t n_rows, size_t k, tfm_dtype dtype, void *panel) {
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
