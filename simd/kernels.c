/* kernels.c - sizes of what kernels work in: pages of keys and values, scratch. */
#include "kernels.h"

static size_t align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

tfm_kv_layout tfm_kv_layout_of(tfm_dtype dtype, size_t head_dim) {
    size_t number = tfm_number_bytes(dtype), padded = tfm_panel_count(head_dim) * TFM_PANEL;
    size_t scales = dtype == TFM_I8 ? TFM_PANEL * sizeof(float) : 0;
    tfm_kv_layout layout = {.k = 0, .k_scale = align64(head_dim * TFM_PANEL * number)};
    layout.v = layout.k_scale + scales;
    layout.v_scale = layout.v + padded * TFM_PANEL * number;
    layout.bytes = layout.v_scale + scales;
    return layout;
}

/* Of each row of a tile: scores of a block, 16 sums, output and query. */
size_t tfm_attention_scratch(const tfm_kernels *kernels, size_t head_dim) {
    size_t row = TFM_ATTENTION_BLOCK + TFM_PANEL + 2 * tfm_panel_count(head_dim) * TFM_PANEL;
    return kernels->tile_rows * row * sizeof(float);
}
