/* dtype.c - element types and conversions between them. */
#include "dtype.h"

#include <math.h>

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

const char *tfm_dtype_name(tfm_dtype dtype) { return dtype_known(dtype) ? dtypes[dtype].name : "unknown"; }

tfm_dtype tfm_dtype_parse(const char *name) {
    for (unsigned i = 0; i < TFM_DTYPE_COUNT; i++)
        if (strcmp(name, dtypes[i].name) == 0) return (tfm_dtype)i;
    return TFM_DTYPE_COUNT;
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
        return tfm_float_of_bits(sign | tfm_bits_of_float(x));
    }
    if (exponent == 31) /* a signalling NaN becomes quiet, as the processors' own conversions make it */
        return tfm_float_of_bits(sign | 0x7f800000 | mantissa << 13 | (uint32_t)(mantissa != 0) << 22);
    return tfm_float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

float tfm_bf16_to_f32(uint16_t h) { return tfm_float_of_bits((uint32_t)h << 16); }

uint16_t tfm_f32_to_f16(float x) {
    uint32_t bits = tfm_bits_of_float(x), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and above round to infinity */
    if (magnitude >= 0x38800000) return (uint16_t)(sign | shift_round(magnitude - (112u << 23), 13));
    if (magnitude < 0x33000000) return sign; /* below half the smallest subnormal, 2^-25 */
    uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    return (uint16_t)(sign | shift_round(mantissa, 126 - (magnitude >> 23)));
}

uint16_t tfm_f32_to_bf16(float x) {
    uint32_t bits = tfm_bits_of_float(x);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)shift_round(bits, 16);
}
