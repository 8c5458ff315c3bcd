/* matrix_rows.c - see matrix_rows.h. */
#include "matrix_rows.h"

#include <stdbool.h>
#include <stdlib.h>

#include "simd/position_table.h"

void tfm_fill_sinusoid(float *rows, uint64_t first, uint64_t n_rows, uint64_t d) {
    tfm_sinusoid(rows, (size_t)n_rows, (size_t)d, (size_t)first, TFM_SINUSOID_HALVES);
}

void tfm_fill_sinusoid_wide(float *rows, uint64_t first, uint64_t n_rows, uint64_t d) {
    tfm_sinusoid(rows, (size_t)n_rows, (size_t)d, (size_t)first, TFM_SINUSOID_HALVES_WIDE);
}

tfm_status tfm_read_transposed(uint64_t n, uint64_t k, tfm_row_read *read, void *state, const char *what,
                               float **transposed, tfm_error *error) {
    size_t row_bytes, bytes;
    const bool sized = !__builtin_mul_overflow(k, sizeof(float), &row_bytes) &&
                       !__builtin_mul_overflow(row_bytes, n, &bytes) && row_bytes < SIZE_MAX && bytes < SIZE_MAX;
    float *row = sized ? malloc(row_bytes + 1) : NULL, *matrix = sized ? malloc(bytes + 1) : NULL;
    tfm_status status = TFM_OK;
    if (!row || !matrix) status = tfm_no_memory(error, "tensor '%s'", what);
    for (uint64_t i = 0; status == TFM_OK && i < n; i++) {
        status = read(state, i, row, error);
        for (uint64_t j = 0; status == TFM_OK && j < k; j++) matrix[j * n + i] = row[j];
    }
    free(row);
    if (status != TFM_OK) {
        free(matrix);
        matrix = NULL;
    }
    *transposed = matrix;
    return status;
}
