/*
 * panels.h - element types, and the panel layout of weight matrices: what lies in model.bin is what kernels read.
 *
 * A matrix W (n, k), output columns by input columns, lies as panels of TFM_PANEL output columns, tfm_panel_bytes each.
 * Rows past n in the last panel are zero. One layout serves every instruction set. In panel r / 16, with lane r % 16:
 *
 * f32, f16, bf16: element (row r, column c) is number c * 16 + lane.
 *
 * int8: column c is byte (c / 4) * 64 + lane * 4 + c % 4, holding q + 128 with q in [-127, 127]; columns are padded
 * with q = 0 to a multiple of 4. Behind them stand 16 scales (f32), one a lane: W = q * scale.
 *
 * int4: columns in blocks of 64 (padded with q = 0), 576 bytes each: two groups of 32 columns (256 bytes each), then
 * the scales of the groups (f16, 16 lanes for the first, 16 for the second). Column c of a group, c in 0 .. 31, is in
 * byte (c / 8) * 64 + lane * 4 + c % 4, in the low half if c % 8 < 4, else in the high half, as q + 8 with q in [-8,
 * 7]: W = q * scale of group and lane. A scale may be negative.
 */
#ifndef TFM_SIMD_PANELS_H
#define TFM_SIMD_PANELS_H

#include <stddef.h>
#include <stdint.h>

#define TFM_PANEL 16

/* The values are those of model.bin. */
typedef enum tfm_dtype { TFM_F32 = 0, TFM_F16 = 1, TFM_BF16 = 2, TFM_I8 = 3, TFM_I4 = 4, TFM_DTYPE_COUNT } tfm_dtype;

enum {
    TFM_I8_K_MAX = 1 << 17, /* columns of an int8 matrix: 127 * 127 * this fits an int32 */
    TFM_I4_GROUP = 32,      /* columns that share a scale */
    TFM_I4_BLOCK = 64,
    TFM_I4_BLOCK_BYTES = 576
};

/* Types whose matrices exist in panels only and have scales. */
static inline int tfm_dtype_quantized(tfm_dtype dtype) { return dtype == TFM_I8 || dtype == TFM_I4; }

/* Bytes of an element of a float type; 0 for quantised and unknown types. */
size_t tfm_dtype_size(tfm_dtype dtype);
/* The least magnitude a type cannot hold, because it or a scale would become infinite; infinity for f32. */
float tfm_dtype_bound(tfm_dtype dtype);
/* Bytes of a panel of k columns, scales included; 0 if they do not fit a size_t or k is too large for the type. */
size_t tfm_panel_bytes(tfm_dtype dtype, size_t k);
/* "f32", "f16", "bf16", "int8", "int4"; the reverse returns TFM_DTYPE_COUNT for an unknown name. */
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
 * `dtype`; n_rows <= 16, missing rows become zero. panel holds tfm_panel_bytes. unpack is the reverse (to f32).
 * For quantised types values must be finite and below tfm_dtype_bound in magnitude; int8 takes the scale from the
 * largest magnitude of a row, int4 takes the one of least squared error. The same on every machine.
 */
void tfm_panel_pack(const float *rows, size_t row_stride, size_t n_rows, size_t k, tfm_dtype dtype, void *panel);
void tfm_panel_unpack(const void *panel, tfm_dtype dtype, size_t n_rows, size_t k, float *rows, size_t row_stride);

#endif
