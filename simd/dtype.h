/* dtype.h - element types: names, sizes, what they can hold, and conversions between them. */
#ifndef TFM_SIMD_DTYPE_H
#define TFM_SIMD_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The values are those of model.bin. */
typedef enum tfm_dtype { TFM_F32 = 0, TFM_F16 = 1, TFM_BF16 = 2, TFM_I8 = 3, TFM_I4 = 4, TFM_DTYPE_COUNT } tfm_dtype;

/* Types whose matrices exist in panels only and have scales. */
static inline bool tfm_dtype_quantized(tfm_dtype dtype) { return dtype == TFM_I8 || dtype == TFM_I4; }

/* Bytes of an element of a float type; 0 for quantised and unknown types. */
size_t tfm_dtype_size(tfm_dtype dtype);
/* Bytes of a number that stands by itself: of a float type, or of int8 as caches have it. */
static inline size_t tfm_number_bytes(tfm_dtype dtype) { return dtype == TFM_F32 ? 4 : dtype == TFM_I8 ? 1 : 2; }
/* The least magnitude a type cannot hold, because it or a scale would become infinite; infinity for f32. */
float tfm_dtype_bound(tfm_dtype dtype);
/* "f32", "f16", "bf16", "int8", "int4"; the reverse returns TFM_DTYPE_COUNT for an unknown name. */
const char *tfm_dtype_name(tfm_dtype dtype);
tfm_dtype tfm_dtype_parse(const char *name);

/* Exact widening, and rounding to nearest even (overflow to infinity, NaN stays NaN). */
float tfm_f16_to_f32(uint16_t h);
float tfm_bf16_to_f32(uint16_t h);
uint16_t tfm_f32_to_f16(float x);
uint16_t tfm_f32_to_bf16(float x);

/* A float and its bits. */
static inline float tfm_float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline uint32_t tfm_bits_of_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

#endif
