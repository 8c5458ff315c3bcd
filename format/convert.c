/* convert.c - writing whole matrices and vectors from f32 rows: rounding to the file's type, packing into panels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_file.h"

static tfm_status check_values(const char *name, tfm_dtype dtype, const float *rows, uint64_t row0, uint64_t n_rows,
                               uint64_t k, tfm_error *error) {
    float bound = tfm_dtype_bound(dtype);
    for (uint64_t i = 0; i < n_rows * k; i++) {
        bool finite = isfinite(rows[i]);
        if (finite ? fabsf(rows[i]) < bound : !tfm_dtype_quantized(dtype)) continue;
        return tfm_fail(error, TFM_ERROR_ARGUMENT,
                        "tensor '%s' has the value %g in row %llu, column %llu, which %s cannot hold; "
                        "choose another type",
                        name, (double)rows[i], (unsigned long long)(row0 + i / k), (unsigned long long)(i % k),
                        tfm_dtype_name(dtype));
    }
    return TFM_OK;
}

/* n_rows rows, row-major, in the file's type. */
static void convert_rows(const float *rows, size_t n, tfm_dtype dtype, void *out) {
    if (dtype == TFM_F32) {
        memcpy(out, rows, n * sizeof *rows);
        return;
    }
    uint16_t *halves = out;
    for (size_t i = 0; i < n; i++) halves[i] = dtype == TFM_F16 ? tfm_f32_to_f16(rows[i]) : tfm_f32_to_bf16(rows[i]);
}

/* Writes the tensor panel by panel (or 16 rows by 16 rows) through `panel`, which holds a panel of k columns. */
static tfm_status write_panels(tfm_writer *writer, const char *name, tfm_dtype dtype, tfm_layout layout,
                               const float *rows, uint64_t n, uint64_t k, void *panel, size_t panel_bytes,
                               tfm_error *error) {
    tfm_status status = TFM_OK;
    for (uint64_t row = 0; row < n && status == TFM_OK; row += TFM_PANEL) {
        size_t n_rows = n - row < TFM_PANEL ? (size_t)(n - row) : TFM_PANEL;
        status = check_values(name, dtype, rows + row * k, row, n_rows, k, error);
        if (status != TFM_OK) break;
        size_t bytes = panel_bytes;
        if (layout == TFM_LAYOUT_PANELS) {
            tfm_panel_pack(rows + row * k, k, n_rows, k, dtype, panel);
        } else {
            bytes = n_rows * k * tfm_dtype_size(dtype);
            convert_rows(rows + row * k, n_rows * k, dtype, panel);
        }
        status = tfm_writer_write(writer, panel, bytes, error);
    }
    return status;
}

tfm_status tfm_writer_matrix(tfm_writer *writer, const char *name, tfm_dtype dtype, tfm_layout layout,
                             const float *rows, uint64_t n, uint64_t k, tfm_error *error) {
    uint64_t bytes;
    size_t panel_bytes = k <= SIZE_MAX ? tfm_panel_bytes(dtype, (size_t)k) : 0;
    if (panel_bytes == 0 || !tfm_tensor_bytes(dtype, TFM_LAYOUT_PANELS, 2, (const uint64_t[]){TFM_PANEL, k}, &bytes))
        return tfm_fail(error, TFM_ERROR_ARGUMENT, "tensor '%.63s' cannot have %llu columns of type %s", name,
                        (unsigned long long)k, tfm_dtype_name(dtype));
    tfm_status status = tfm_writer_tensor(writer, name, dtype, layout, 2, (const uint64_t[]){n, k}, error);
    if (status != TFM_OK) return status;
    void *panel = malloc(panel_bytes);
    if (!panel)
        return tfm_fail(error, TFM_ERROR_MEMORY, "tensor '%s': no memory for a panel of %zu bytes", name, panel_bytes);
    status = write_panels(writer, name, dtype, layout, rows, n, k, panel, panel_bytes, error);
    free(panel);
    return status;
}

tfm_status tfm_writer_vector(tfm_writer *writer, const char *name, const float *values, uint64_t n, tfm_error *error) {
    tfm_status status = tfm_writer_tensor(writer, name, TFM_F32, TFM_LAYOUT_ROWS, 1, &n, error);
    return status == TFM_OK ? tfm_writer_write(writer, values, n * sizeof *values, error) : status;
}
