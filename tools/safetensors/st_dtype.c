/* st_dtype.c - element types of safetensors files and of model files. */
#include "st_dtype.h"

tfm_dtype tfm_st_dtype_to_tfm(tfm_st_dtype dtype) {
    switch (dtype) {
    case TFM_ST_F32: return TFM_F32;
    case TFM_ST_F16: return TFM_F16;
    case TFM_ST_BF16: return TFM_BF16;
    default: return TFM_DTYPE_COUNT;
    }
}

tfm_st_dtype tfm_st_dtype_from_tfm(tfm_dtype dtype) {
    switch (dtype) {
    case TFM_F32: return TFM_ST_F32;
    case TFM_F16: return TFM_ST_F16;
    case TFM_BF16: return TFM_ST_BF16;
    default: return TFM_ST_DTYPE_COUNT;
    }
}
