/* kv_cache_test.c - pages of the cache: allocated, shared, copied when they are written to, given back. */
#include <stdlib.h>
#include <string.h>

#include "runtime/exec/kv_cache.h"
#include "tests/support/tiny_session.h"

#define N_PAGES 6

typedef struct pages {
    tfm_kv_cache cache;
    char *data;
} pages;

static void make_pages(pages *p) {
    cr_assert(tfm_kv_cache_shape(&p->cache, TFM_F32, 2, 3, 5, N_PAGES));
    cr_assert(p->cache.page_bytes == (size_t)2 * 3 * (5 + 16) * 16 * 4);
    p->cache.data = p->data = calloc(N_PAGES, p->cache.page_bytes);
    p->cache.references = calloc(N_PAGES, sizeof(uint32_t));
    p->cache.freed = calloc(N_PAGES, sizeof(uint32_t));
}

static void free_pages(pages *p) {
    free(p->data);
    free(p->cache.references);
    free(p->cache.freed);
}

static size_t n_free(const pages *p) { return p->cache.n_freed + p->cache.n_pages - p->cache.n_fresh; }

Test(kv_cache, pages_are_shared_and_copied_when_written) {
    pages p = {0};
    make_pages(&p);
    uint32_t a[3], b[3];
    cr_assert(tfm_kv_extend(&p.cache, a, 0, 20) && n_free(&p) == 4); /* a full page and 4 positions */
    p.data[a[1] * p.cache.page_bytes] = 42;
    p.data[(a[1] + 1) * p.cache.page_bytes - 1] = 43;
    memcpy(b, a, sizeof b);
    tfm_kv_page_retain(&p.cache, b, 2);
    cr_assert(p.cache.references[a[0]] == 2 && p.cache.references[a[1]] == 2);
    cr_assert(tfm_kv_extend(&p.cache, b, 20, 1) && n_free(&p) == 3);
    cr_assert(b[0] == a[0] && b[1] != a[1], "the page that is written is b's own");
    cr_assert(p.data[b[1] * p.cache.page_bytes] == 42 && p.data[(b[1] + 1) * p.cache.page_bytes - 1] == 43);
    cr_assert(p.cache.references[a[0]] == 2 && p.cache.references[a[1]] == 1 && p.cache.references[b[1]] == 1);
    uint32_t own = b[1];
    cr_assert(tfm_kv_extend(&p.cache, b, 21, 11) && b[1] == own && n_free(&p) == 3); /* to the end of its page */
    tfm_kv_page_retain(&p.cache, b, 2);
    cr_assert(tfm_kv_extend(&p.cache, b, 32, 1) && b[1] == own && n_free(&p) == 2, "full pages are not copied");
    tfm_kv_page_release(&p.cache, b, 2);
    tfm_kv_page_release(&p.cache, b, 3);
    tfm_kv_page_release(&p.cache, a, 2);
    cr_assert(n_free(&p) == N_PAGES);
    for (size_t i = 0; i < N_PAGES; i++) cr_assert(p.cache.references[i] == 0);
    free_pages(&p);
}

Test(kv_cache, exhaustion_changes_nothing) {
    pages p = {0};
    make_pages(&p);
    uint32_t a[N_PAGES], b[N_PAGES];
    cr_assert(tfm_kv_extend(&p.cache, a, 0, 70) && n_free(&p) == 1); /* 5 pages */
    cr_assert(!tfm_kv_extend(&p.cache, b, 0, 17) && n_free(&p) == 1);
    memcpy(b, a, sizeof b);
    tfm_kv_page_retain(&p.cache, b, 5);
    cr_assert(!tfm_kv_extend(&p.cache, b, 70, 20), "a copy and a new page are two");
    cr_assert(p.cache.references[a[0]] == 2);
    tfm_kv_page_release(&p.cache, b, 5);
    tfm_kv_page_release(&p.cache, a, 5);
    cr_assert(n_free(&p) == N_PAGES);
    /* All pages come, each once. */
    bool seen[N_PAGES] = {false};
    for (size_t i = 0; i < N_PAGES; i++) {
        uint32_t page = tfm_kv_page_alloc(&p.cache);
        cr_assert(page < N_PAGES && !seen[page] && p.cache.references[page] == 1);
        seen[page] = true;
    }
    cr_assert(tfm_kv_page_alloc(&p.cache) == UINT32_MAX);
    free_pages(&p);
}

Test(kv_cache, sizes_that_overflow_are_refused) {
    tfm_kv_cache cache;
    cr_assert(!tfm_kv_cache_shape(&cache, TFM_F32, SIZE_MAX / 2, 3, 5, 1));
    cr_assert(!tfm_kv_cache_shape(&cache, TFM_F32, 1, SIZE_MAX / 64, 64, 1));
    cr_assert(!tfm_kv_cache_shape(&cache, TFM_F32, 1, 1, 1, UINT32_MAX));
    cr_assert(!tfm_kv_cache_shape(&cache, TFM_F32, 1 << 20, 1 << 20, 1 << 10, 1 << 20));
    cr_assert(tfm_kv_cache_shape(&cache, TFM_F32, 1, 1, 1, 0));
}

/* Forks and frees at random, against counts kept beside. */
Test(kv_cache, random_use_loses_no_page) {
    enum { N = 8, PAGES_EACH = 6 };
    tfm_kv_cache cache;
    cr_assert(tfm_kv_cache_shape(&cache, TFM_F32, 1, 1, 3, N * PAGES_EACH));
    cache.data = calloc(cache.n_pages, cache.page_bytes);
    cache.references = calloc(cache.n_pages, sizeof(uint32_t));
    cache.freed = calloc(cache.n_pages, sizeof(uint32_t));
    uint32_t lists[N][PAGES_EACH];
    size_t lengths[N] = {0};
    uint64_t r = 5;
    for (int step = 0; step < 20000; step++) {
        size_t i = tiny_random(&r) % N, j = tiny_random(&r) % N;
        switch (tiny_random(&r) % 3) {
        case 0: { /* grow */
            size_t n = 1 + tiny_random(&r) % 20;
            if (lengths[i] + n > PAGES_EACH * TFM_PANEL) break;
            cr_assert(tfm_kv_extend(&cache, lists[i], lengths[i], n));
            lengths[i] += n;
            /* What is written now is nobody else's. */
            cr_assert(cache.references[lists[i][tfm_kv_pages(lengths[i]) - 1]] == 1);
            break;
        }
        case 1: /* i becomes a copy of j */
            if (i == j) break;
            tfm_kv_page_release(&cache, lists[i], tfm_kv_pages(lengths[i]));
            memcpy(lists[i], lists[j], sizeof lists[i]);
            lengths[i] = lengths[j];
            tfm_kv_page_retain(&cache, lists[i], tfm_kv_pages(lengths[i]));
            break;
        default: { /* truncate */
            size_t n = lengths[i] ? tiny_random(&r) % lengths[i] : 0;
            uint32_t kept = tfm_kv_pages(n);
            tfm_kv_page_release(&cache, lists[i] + kept, tfm_kv_pages(lengths[i]) - kept);
            lengths[i] = n;
        }
        }
        uint32_t counts[N * PAGES_EACH] = {0}, used = 0;
        for (size_t k = 0; k < N; k++)
            for (uint32_t page = 0; page < tfm_kv_pages(lengths[k]); page++) counts[lists[k][page]]++;
        for (uint32_t page = 0; page < cache.n_pages; page++) {
            cr_assert(cache.references[page] == counts[page], "step %d, page %u", step, page);
            used += counts[page] > 0;
        }
        cr_assert(used + cache.n_freed + (cache.n_pages - cache.n_fresh) == cache.n_pages, "step %d", step);
    }
    free(cache.data);
    free(cache.references);
    free(cache.freed);
}
