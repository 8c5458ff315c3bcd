/* tensor.c - how many bytes a tensor takes. */
#include "model_file.h"

static bool panels_bytes(tfm_dtype dtype, uint64_t n, uint64_t k, uint64_t *bytes) {
    if (n == 0 || k == 0 || k > SIZE_MAX) return false;
    uint64_t panel = tfm_panel_bytes(dtype, (size_t)k), n_panels = n / TFM_PANEL + (n % TFM_PANEL != 0);
    return panel != 0 && !__builtin_mul_overflow(n_panels, panel, bytes);
}

bool tfm_tensor_bytes(tfm_dtype dtype, tfm_layout layout, uint32_t rank, const uint64_t *shape, uint64_t *bytes) {
    if (layout == TFM_LAYOUT_PANELS) return rank == 2 && panels_bytes(dtype, shape[0], shape[1], bytes);
    uint64_t product = tfm_dtype_size(dtype); /* 0 for quantised types: they exist in panels only */
    if (layout != TFM_LAYOUT_ROWS || product == 0 || rank == 0 || rank > TFM_RANK_MAX) return false;
    for (uint32_t i = 0; i < rank; i++)
        if (shape[i] == 0 || __builtin_mul_overflow(product, shape[i], &product)) return false;
    *bytes = product;
    return true;
}
