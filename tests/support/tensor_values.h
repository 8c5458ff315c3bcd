/* tensor_values.h - the values of a tensor in a safetensors file, for tests that compare. */
#ifndef TFM_TESTS_SUPPORT_TENSOR_VALUES_H
#define TFM_TESTS_SUPPORT_TENSOR_VALUES_H

#include "tools/safetensors/safetensors.h"

/* All of an F32, F16 or BF16 tensor as f32, in memory the caller frees. tensor may be NULL. */
tfm_status load_tensor_f32(const tfm_safetensors *file, const char *name, float **values, const tfm_st_tensor **tensor,
                           tfm_error *error);

#endif
