/* convert.c - writing whole matrices and vectors from f32 rows: rounding to the file's type, packing into panels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_file.h"

/* The least magnitude that a type rounds to infinity; infinity for f32. */
static float overflow_bound(tfm_dtype dtype) {
    if (dtype == TFM_F16)
        return 65520.0f; /* halfway between the largest f16 and 65536; ties go to even, which is up here */
    if (dtype == TFM_BF16) return 0x1.ffp+127f; /* halfway between the largest bf16 and 2^128 */
    return INFINITY;
}

static tfm_status check_overflow(const char *name, tfm_dtype dtype, const float *rows, uint64_t row0, uint64_t n_rows,
                                 uint64_t k, tfm_error *error) {
    float bound = overflow_bound(dtype);
    for (uint64_t i = 0; i < n_rows * k; i++)
        if (isfinite(rows[i]) && fabsf(rows[i]) >= bound)
            return tfm_fail(error, TFM_ERROR_ARGUMENT,
                            "tensor '%s' has the value %g in row %llu, column %llu, which is too large for %s; "
                            "choose another type",
                            name, (double)rows[i], (unsigned long long)(row0 + i / k), (unsigned long long)(i % k),
                            tfm_dtype_name(dtype));
    return TFM_OK;
}

/* n_rows rows, row-major, in the file's type. */
static void convert_rows(const float *rows, size_t n, tfm_dtype dtype, void *out) {
    if (dtype == TFM_F32) {
        memcpy(out, rows, n * sizeof(*rows));
        return;
    }
    uint16_t *halves = out;
    for (size_t i = 0; i < n; i++) halves[i] = dtype == TFM_F16 ? tfm_f32_to_f16(rows[i]) : tfm_f32_to_bf16(rows[i]);
}

/* Writes the tensor panel by panel (or 16 rows by 16 rows) through `panel`, which holds 16 rows of k elements. */
static tfm_status write_panels(tfm_writer *writer, const char *name, tfm_dtype dtype, tfm_layout layout,
                               const float *rows, uint64_t n, uint64_t k, void *panel, tfm_error *error) {
    tfm_status status = TFM_OK;
    for (uint64_t row = 0; row < n && status == TFM_OK; row += TFM_PANEL) {
        size_t n_rows = n - row < TFM_PANEL ? (size_t)(n - row) : TFM_PANEL;
        status = check_overflow(name, dtype, rows + row * k, row, n_rows, k, error);
        if (status != TFM_OK) break;
        size_t stored = (layout == TFM_LAYOUT_PANELS ? TFM_PANEL : n_rows) * k;
        if (layout == TFM_LAYOUT_PANELS)
            tfm_panel_pack(rows + row * k, k, n_rows, k, dtype, panel);
        else
            convert_rows(rows + row * k, stored, dtype, panel);
        status = tfm_writer_write(writer, panel, stored * tfm_dtype_size(dtype), error);
    }
    return status;
}

tfm_status tfm_writer_matrix(tfm_writer *writer, const char *name, tfm_dtype dtype, tfm_layout layout,
                             const float *rows, uint64_t n, uint64_t k, tfm_error *error) {
    uint64_t panel_bytes;
    if (!tfm_tensor_bytes(dtype, TFM_LAYOUT_PANELS, 2, (const uint64_t[]){TFM_PANEL, k}, &panel_bytes) ||
        panel_bytes > SIZE_MAX)
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "tensor '%.63s' cannot have %llu columns", name,
                        (unsigned long long)k);
    tfm_status status = tfm_writer_tensor(writer, name, dtype, layout, 2, (const uint64_t[]){n, k}, error);
    if (status != TFM_OK) return status;
    void *panel = malloc(panel_bytes);
    if (!panel)
        return tfm_fail(error, TFM_ERROR_MEMORY, "tensor '%s': no memory for a panel of %llu bytes", name,
                        (unsigned long long)panel_bytes);
    status = write_panels(writer, name, dtype, layout, rows, n, k, panel, error);
    free(panel);
    return status;
}

tfm_status tfm_writer_vector(tfm_writer *writer, const char *name, const float *values, uint64_t n, tfm_error *error) {
    tfm_status status = tfm_writer_tensor(writer, name, TFM_F32, TFM_LAYOUT_ROWS, 1, &n, error);
    return status == TFM_OK ? tfm_writer_write(writer, values, n * sizeof(*values), error) : status;
}
