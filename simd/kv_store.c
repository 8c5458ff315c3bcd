/* kv_store.c - see kv_store.h. */
#include "kv_store.h"

#include <string.h>

#include "panels.h"

/* One position's features, TFM_PANEL floats apart. */
static void store_key(float *page, size_t lane, const float *key, size_t head_dim) {
    for (size_t d = 0; d < head_dim; d++) page[d * TFM_PANEL + lane] = key[d];
}

/* One position's features in panels of TFM_PANEL; lanes past head_dim are kept 0. */
static void store_value(float *page, size_t lane, const float *value, size_t head_dim) {
    for (size_t d = 0; d < head_dim; d += TFM_PANEL) {
        float *to = page + d * TFM_PANEL + lane * TFM_PANEL;
        size_t n = head_dim - d < TFM_PANEL ? head_dim - d : TFM_PANEL;
        memcpy(to, value + d, n * sizeof *to);
        memset(to + n, 0, (TFM_PANEL - n) * sizeof *to);
    }
}

void tfm_kv_store(const tfm_kv_view *to, size_t first, size_t n_rows, size_t head_dim, const float *key,
                  size_t key_stride, const float *value, size_t value_stride) {
    for (size_t r = 0; r < n_rows; r++) {
        size_t position = first + r, lane = position % TFM_PANEL;
        size_t page = to->pages[position / TFM_PANEL] * to->page_stride;
        store_key((float *)(void *)((char *)to->k + page), lane, key + r * key_stride, head_dim);
        store_value((float *)(void *)((char *)to->v + page), lane, value + r * value_stride, head_dim);
    }
}
