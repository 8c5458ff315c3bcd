/* write_tensors.h - whole tensors into a model file, for tests that make one: rows of f32 in the type asked for. */
#ifndef TFM_TESTS_SUPPORT_WRITE_TENSORS_H
#define TFM_TESTS_SUPPORT_WRITE_TENSORS_H

#include "format/model_file.h"

/* rows: (n, k), of values that dtype can hold. */
tfm_status write_matrix(tfm_writer *writer, const char *name, tfm_dtype dtype, tfm_layout layout, const float *rows,
                        uint64_t n, uint64_t k, tfm_error *error);
/* (n) in f32 */
tfm_status write_vector(tfm_writer *writer, const char *name, const float *values, uint64_t n, tfm_error *error);

#endif
