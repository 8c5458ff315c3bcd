/*
 * kv_cache.h - keys and values of sequences, in pages of TFM_PANEL positions that sequences can share.
 *
 * A page holds its positions for all layers and key/value heads. For one layer and head it is a panel of keys
 * (head_dim, 16) followed by panels of values (ceil(head_dim / 16), 16, 16), which is what the attention kernel reads,
 * with their scales if they are int8.
 * Sequences list their pages by number; a page that several list is copied before one of them writes to it. So forking
 * a beam copies a list of numbers, and reordering beams copies nothing. A page that is full is not written again while
 * anybody lists it: what it holds is decided by the tokens up to its end.
 */
#ifndef TFM_RUNTIME_EXEC_KV_CACHE_H
#define TFM_RUNTIME_EXEC_KV_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/kernels.h"

typedef struct tfm_kv_cache {
    char *data; /* (n_pages, n_layers, n_heads, layout.bytes) */
    tfm_dtype dtype;
    size_t n_layers, n_heads, head_dim;
    tfm_kv_layout layout; /* of one head's part of a page */
    size_t layer_bytes, page_bytes;
    uint32_t n_pages;
    uint32_t *references;      /* (n_pages) sequences that list the page */
    uint32_t *freed;           /* stack of pages given back */
    uint32_t n_freed, n_fresh; /* pages from n_fresh on have never been used */
} tfm_kv_cache;

/* Pages that n positions take. */
static inline uint32_t tfm_kv_pages(size_t n) { return (uint32_t)tfm_panel_count(n); }

/* Fills in the sizes; false if they overflow. data, references and freed are the caller's to set. */
bool tfm_kv_cache_shape(tfm_kv_cache *cache, tfm_dtype dtype, size_t n_layers, size_t n_heads, size_t head_dim,
                        uint64_t n_pages);

/* A page with one reference, or UINT32_MAX if none is left. Its contents are finite; lanes past head_dim are zero. */
uint32_t tfm_kv_page_alloc(tfm_kv_cache *cache);
/* One reference more, and one less, to each of n pages; a page without references is free for tfm_kv_page_alloc. */
void tfm_kv_page_retain(tfm_kv_cache *cache, const uint32_t *pages, uint32_t n);
void tfm_kv_page_release(tfm_kv_cache *cache, const uint32_t *pages, uint32_t n);

/*
 * Makes positions [past, past + n) of a sequence writable: new pages at the end of its list, a copy of the page that
 * holds position past if others share it. False if the pages are used up; the list then is as long as past needs.
 */
bool tfm_kv_extend(tfm_kv_cache *cache, uint32_t *pages, size_t past, size_t n);

/* What the kernels want to know of one layer and head. */
tfm_kv_view tfm_kv_view_of(const tfm_kv_cache *cache, const uint32_t *pages, size_t layer, size_t head);

#endif
