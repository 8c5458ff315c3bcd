/*
 * matrix_rows.h - matrices row by row: computed, or read as a whole and transposed.
 */
#ifndef TFM_TOOLS_PACK_CHECKPOINT_MATRIX_ROWS_H
#define TFM_TOOLS_PACK_CHECKPOINT_MATRIX_ROWS_H

#include "format/tfm_error.h"

/* Computes rows [first, first + n_rows) of width d. */
typedef void tfm_row_fill(float *rows, uint64_t first, uint64_t n_rows, uint64_t d);

/* Row p is position p: sines in its first half, cosines in the second (TFM_SINUSOID_HALVES). */
tfm_row_fill tfm_fill_sinusoid;
/* The same with frequencies from 1 to 1/10000, as fairseq has them (TFM_SINUSOID_HALVES_WIDE). */
tfm_row_fill tfm_fill_sinusoid_wide;

/* Gives one row of a matrix. */
typedef tfm_status tfm_row_read(void *state, uint64_t row, float *values, tfm_error *error);

/*
 * Reads all n rows of k values and gives the matrix (k, n) in memory the caller frees; *transposed is NULL after an
 * error. what: the tensor, for the message that there is no memory for it.
 */
tfm_status tfm_read_transposed(uint64_t n, uint64_t k, tfm_row_read *read, void *state, const char *what,
                               float **transposed, tfm_error *error);

#endif
