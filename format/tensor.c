/* tensor.c - how many bytes a tensor takes. */
#include "model_file.h"

bool tfm_tensor_bytes(tfm_dtype dtype, tfm_layout layout, uint32_t rank, const uint64_t *shape, uint64_t *bytes) {
    uint64_t product = tfm_dtype_size(dtype);
    if (product == 0 || rank == 0 || rank > TFM_RANK_MAX) return false;
    if (layout != TFM_LAYOUT_ROWS && (layout != TFM_LAYOUT_PANELS || rank != 2)) return false;
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t dimension = shape[i];
        if (dimension == 0) return false;
        if (layout == TFM_LAYOUT_PANELS && i == 0) {
            if (__builtin_add_overflow(dimension, TFM_PANEL - 1, &dimension)) return false;
            dimension &= ~(uint64_t)(TFM_PANEL - 1);
        }
        if (__builtin_mul_overflow(product, dimension, &product)) return false;
    }
    *bytes = product;
    return true;
}
