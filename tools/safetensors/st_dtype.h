/*
 * st_dtype.h - element types of safetensors files and of model files.
 */
#ifndef TFM_TOOLS_SAFETENSORS_ST_DTYPE_H
#define TFM_TOOLS_SAFETENSORS_ST_DTYPE_H

#include "format/model_file.h"
#include "safetensors.h"

/* The type of model files that holds the same values; TFM_DTYPE_COUNT if there is none. */
tfm_dtype tfm_st_dtype_to_tfm(tfm_st_dtype dtype);
/* The reverse; TFM_ST_DTYPE_COUNT for quantised types. */
tfm_st_dtype tfm_st_dtype_from_tfm(tfm_dtype dtype);

#endif
