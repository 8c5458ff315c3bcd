/*
 * panels.h - the panel layout of weight matrices: what lies in model.bin is what kernels read. All arithmetic of the
 * layout is here and in panels.c.
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

#include "dtype.h"

#define TFM_PANEL 16

enum {
    TFM_I8_K_MAX = 1 << 17, /* columns of an int8 matrix: 127 * 127 * this fits an int32 */
    TFM_I4_GROUP = 32,      /* columns that share a scale */
    TFM_I4_BLOCK = 64,      /* columns that are padded to, and lie together with their scales */
    TFM_I4_BLOCK_BYTES = 576,
    TFM_LINE_BYTES = 64, /* of the columns that lie together in all lanes, 4 bytes a lane: */
    TFM_I8_LINE = 4,     /* so many of int8 */
    TFM_I4_LINE = 8      /* or of int4, the first four in the low halves */
};

static inline size_t tfm_panel_count(size_t n) { return n / TFM_PANEL + (n % TFM_PANEL != 0); }

/* Bytes of a panel of k columns, scales included; 0 if they do not fit a size_t or k is too large for the type. */
size_t tfm_panel_bytes(tfm_dtype dtype, size_t k);

/* Where in a panel of floats a weight is, in elements. */
static inline size_t tfm_float_at(size_t column, size_t lane) { return column * TFM_PANEL + lane; }

/* Where in a panel of int8 things are, in bytes from its start: the line that holds a column, a weight, the scales. */
static inline size_t tfm_i8_line_at(size_t column) { return column / TFM_I8_LINE * TFM_LINE_BYTES; }
static inline size_t tfm_i8_at(size_t column, size_t lane) { return tfm_i8_line_at(column) + lane * 4 + column % 4; }
static inline size_t tfm_i8_lines(size_t k) { return (k + TFM_I8_LINE - 1) / TFM_I8_LINE; }
static inline size_t tfm_i8_scales_at(size_t k) { return tfm_i8_lines(k) * TFM_LINE_BYTES; }

/* Likewise of int4; `group` counts the groups of TFM_I4_GROUP columns, which have their scales (f16) each. */
static inline size_t tfm_i4_line_at(size_t column) {
    return column / TFM_I4_BLOCK * TFM_I4_BLOCK_BYTES + column % TFM_I4_BLOCK / TFM_I4_LINE * TFM_LINE_BYTES;
}
static inline size_t tfm_i4_at(size_t column, size_t lane) { return tfm_i4_line_at(column) + lane * 4 + column % 4; }
static inline bool tfm_i4_high(size_t column) { return column % TFM_I4_LINE >= TFM_I4_LINE / 2; }
static inline size_t tfm_i4_blocks(size_t k) { return k / TFM_I4_BLOCK + (k % TFM_I4_BLOCK != 0); }
static inline size_t tfm_i4_scales_at(size_t group) {
    const size_t groups = TFM_I4_BLOCK / TFM_I4_GROUP, lines = TFM_I4_BLOCK / TFM_I4_LINE * TFM_LINE_BYTES;
    return group / groups * TFM_I4_BLOCK_BYTES + lines + group % groups * TFM_PANEL * sizeof(uint16_t);
}

/*
 * Packs rows 16p .. 16p + n_rows - 1 of an f32 matrix (row-major, row_stride elements apart, k columns) as one panel of
 * `dtype`; n_rows <= 16, missing rows become zero. panel holds tfm_panel_bytes. unpack is the reverse (to f32).
 * For quantised types values must be finite and below tfm_dtype_bound in magnitude; int8 takes the scale from the
 * largest magnitude of a row, int4 takes the one of least squared error. The same on every machine.
 */
void tfm_panel_pack(const float *rows, size_t row_stride, size_t n_rows, size_t k, tfm_dtype dtype, void *panel);
void tfm_panel_unpack(const void *panel, tfm_dtype dtype, size_t n_rows, size_t k, float *rows, size_t row_stride);

/* Rows lane .. lane + n_rows - 1 of a panel of floats, as they are: `rows` gets them row-major, in the panel's type. */
void tfm_panel_rows(const void *panel, tfm_dtype dtype, size_t k, size_t lane, size_t n_rows, void *rows);

/*
 * Row to_row of a matrix in panels at `to` becomes row from_row of one at `from`, bit for bit, scales included; both
 * are of type `dtype` and have k columns. Other rows of the panel stay as they are.
 */
void tfm_panels_copy_row(tfm_dtype dtype, size_t k, void *to, size_t to_row, const void *from, size_t from_row);

#endif
