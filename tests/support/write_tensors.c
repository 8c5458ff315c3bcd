/* write_tensors.c - whole tensors into a model file; see write_tensors.h. */
#include "write_tensors.h"

#include <stdlib.h>
#include <string.h>

/* Up to 16 rows as they stand in the file; returns their bytes. */
static size_t convert(const float *rows, size_t n, size_t k, tfm_dtype dtype, tfm_layout layout, void *out) {
    if (layout == TFM_LAYOUT_PANELS) {
        tfm_panel_pack(rows, k, n, k, dtype, out);
        return tfm_panel_bytes(dtype, k);
    }
    uint16_t *halves = out;
    if (dtype == TFM_F32) memcpy(out, rows, n * k * sizeof *rows);
    for (size_t i = 0; dtype != TFM_F32 && i < n * k; i++)
        halves[i] = dtype == TFM_F16 ? tfm_f32_to_f16(rows[i]) : tfm_f32_to_bf16(rows[i]);
    return n * k * tfm_dtype_size(dtype);
}

tfm_status write_matrix(tfm_writer *writer, const char *name, tfm_dtype dtype, tfm_layout layout, const float *rows,
                        uint64_t n, uint64_t k, tfm_error *error) {
    tfm_status status = tfm_writer_tensor(writer, name, dtype, layout, 2, (const uint64_t[]){n, k}, error);
    void *part = status == TFM_OK ? malloc(tfm_panel_bytes(dtype, k)) : NULL;
    if (status == TFM_OK && !part) status = tfm_no_memory(error, "tensor '%s'", name);
    for (uint64_t row = 0; status == TFM_OK && row < n; row += TFM_PANEL) {
        size_t n_rows = n - row < TFM_PANEL ? n - row : TFM_PANEL;
        size_t bytes = convert(rows + row * k, n_rows, k, dtype, layout, part);
        status = tfm_writer_write(writer, part, bytes, error);
    }
    free(part);
    return status;
}

tfm_status write_vector(tfm_writer *writer, const char *name, const float *values, uint64_t n, tfm_error *error) {
    tfm_status status = tfm_writer_tensor(writer, name, TFM_F32, TFM_LAYOUT_ROWS, 1, &n, error);
    return status == TFM_OK ? tfm_writer_write(writer, values, n * sizeof *values, error) : status;
}
