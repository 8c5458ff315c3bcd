/* tensor_values.c - see tensor_values.h. */
#include "tensor_values.h"

#include <stdlib.h>
#include <string.h>

#include "format/model_file.h"
#include "tools/safetensors/st_dtype.h"

tfm_status load_tensor_f32(const tfm_safetensors *file, const char *name, float **values, const tfm_st_tensor **tensor,
                           tfm_error *error) {
    const tfm_st_tensor *found = tfm_safetensors_find(file, name);
    *values = NULL;
    if (!found) return tfm_fail(error, TFM_ERROR_ARGUMENT, "there is no tensor '%s'", name);
    if (tensor) *tensor = found;
    if (tfm_st_dtype_to_tfm(found->dtype) == TFM_DTYPE_COUNT)
        return tfm_fail(error, TFM_ERROR_UNSUPPORTED, "tensor '%s' is %s, not F32, F16 or BF16", name,
                        tfm_st_dtype_name(found->dtype));
    float *all = calloc(found->count + 1, sizeof *all);
    uint16_t *halves = calloc(found->count + 1, sizeof *halves);
    bool wide = found->dtype == TFM_ST_F32;
    tfm_status status = all && halves ? TFM_OK : tfm_no_memory(error, "tensor '%s'", name);
    if (status == TFM_OK)
        status = tfm_safetensors_read(file, found, 0, wide ? (void *)all : halves, (size_t)found->length, error);
    for (uint64_t i = 0; status == TFM_OK && !wide && i < found->count; i++)
        all[i] = found->dtype == TFM_ST_F16 ? tfm_f16_to_f32(halves[i]) : tfm_bf16_to_f32(halves[i]);
    free(halves);
    if (status == TFM_OK)
        *values = all;
    else
        free(all);
    return status;
}
