/*
 * panels.h - element types, and the panel layout of weight matrices: what lies in model.bin is what kernels read.
 *
 * A matrix W (n, k), output columns by input columns, lies as panels of TFM_PANEL output columns:
 *   element (row r, column c) is number  ((r / 16) * k + c) * 16 + r % 16.
 * Rows past n in the last panel are zero. One layout serves every instruction set.
 */
#ifndef TFM_SIMD_PANELS_H
#define TFM_SIMD_PANELS_H

#include <stddef.h>
#include <stdint.h>

#define TFM_PANEL 16

/* The values are those of model.bin. */
typedef enum tfm_dtype { TFM_F32 = 0, TFM_F16 = 1, TFM_BF16 = 2, TFM_DTYPE_COUNT } tfm_dtype;

/* Bytes of an element; 0 for an unknown type. */
size_t tfm_dtype_size(tfm_dtype dtype);
/* "f32", "f16", "bf16"; the reverse returns TFM_DTYPE_COUNT for an unknown name. */
const char *tfm_dtype_name(tfm_dtype dtype);
tfm_dtype tfm_dtype_parse(const char *name);

static inline size_t tfm_panel_count(size_t n) { return n / TFM_PANEL + (n % TFM_PANEL != 0); }

/* Exact widening, and rounding to nearest even (overflow to infinity, NaN stays NaN). */
float tfm_f16_to_f32(uint16_t h);
float tfm_bf16_to_f32(uint16_t h);
uint16_t tfm_f32_to_f16(float x);
uint16_t tfm_f32_to_bf16(float x);

/*
 * Packs rows 16p .. 16p + n_rows - 1 of an f32 matrix (row-major, row_stride elements apart, k columns) as one panel of
 * `dtype`; n_rows <= 16, missing rows become zero. panel holds k * 16 elements. unpack is the reverse (to f32).
 */
void tfm_panel_pack(const float *rows, size_t row_stride, size_t n_rows, size_t k, tfm_dtype dtype, void *panel);
void tfm_panel_unpack(const void *panel, tfm_dtype dtype, size_t n_rows, size_t k, float *rows, size_t row_stride);

#endif
