/*
 * kv_cache.c - pages: taking, sharing, copying on write.
 */
#include "kv_cache.h"

#include <string.h>

bool tfm_kv_cache_shape(tfm_kv_cache *cache, tfm_dtype dtype, size_t n_layers, size_t n_heads, size_t head_dim,
                        uint64_t n_pages) {
    *cache = (tfm_kv_cache){.dtype = dtype, .n_layers = n_layers, .n_heads = n_heads, .head_dim = head_dim};
    cache->layout = tfm_kv_layout_of(dtype, head_dim);
    size_t bytes;
    if (n_pages > UINT32_MAX - 1) return false;
    cache->n_pages = (uint32_t)n_pages;
    return !__builtin_mul_overflow(cache->layout.bytes, n_heads, &cache->layer_bytes) &&
           !__builtin_mul_overflow(cache->layer_bytes, n_layers, &cache->page_bytes) &&
           !__builtin_mul_overflow(cache->page_bytes, n_pages, &bytes);
}

uint32_t tfm_kv_page_alloc(tfm_kv_cache *cache) {
    uint32_t page;
    if (cache->n_freed > 0)
        page = cache->freed[--cache->n_freed];
    else if (cache->n_fresh < cache->n_pages)
        page = cache->n_fresh++;
    else
        return UINT32_MAX;
    cache->references[page] = 1;
    return page;
}

void tfm_kv_page_retain(tfm_kv_cache *cache, const uint32_t *pages, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) cache->references[pages[i]]++;
}

void tfm_kv_page_release(tfm_kv_cache *cache, const uint32_t *pages, uint32_t n) {
    for (uint32_t i = n; i-- > 0;)
        if (--cache->references[pages[i]] == 0) cache->freed[cache->n_freed++] = pages[i];
}

static char *page_data(const tfm_kv_cache *cache, uint32_t page) { return cache->data + page * cache->page_bytes; }

bool tfm_kv_extend(tfm_kv_cache *cache, uint32_t *pages, size_t past, size_t n) {
    uint32_t have = tfm_kv_pages(past), need = tfm_kv_pages(past + n);
    if (past % TFM_PANEL != 0 && cache->references[pages[have - 1]] > 1) {
        uint32_t copy = tfm_kv_page_alloc(cache);
        if (copy == UINT32_MAX) return false;
        memcpy(page_data(cache, copy), page_data(cache, pages[have - 1]), cache->page_bytes);
        tfm_kv_page_release(cache, &pages[have - 1], 1);
        pages[have - 1] = copy;
    }
    for (uint32_t i = have; i < need; i++) {
        pages[i] = tfm_kv_page_alloc(cache);
        if (pages[i] == UINT32_MAX) {
            tfm_kv_page_release(cache, pages + have, i - have);
            return false;
        }
    }
    return true;
}

tfm_kv_view tfm_kv_view_of(const tfm_kv_cache *cache, const uint32_t *pages, size_t layer, size_t head) {
    char *part = cache->data + layer * cache->layer_bytes + head * cache->layout.bytes;
    tfm_kv_view view = {.dtype = cache->dtype,
                        .k = part + cache->layout.k,
                        .v = part + cache->layout.v,
                        .pages = pages,
                        .page_stride = cache->page_bytes};
    if (cache->dtype == TFM_I8) {
        view.k_scale = (float *)(void *)(part + cache->layout.k_scale);
        view.v_scale = (float *)(void *)(part + cache->layout.v_scale);
    }
    return view;
}
