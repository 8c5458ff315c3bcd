/* vocab_subset.c - the tokens that shortlists allow, and the columns of the projection they name. */
#include "vocab_subset.h"

#include <math.h>
#include <string.h>

/* ---- lists ---- */

void tfm_vocab_subset_mark(tfm_vocab_subset *subset, const uint32_t *list, size_t n) {
    for (size_t i = 0; i < n; i++) subset->marked[list[i]] = 1;
}

/* The marked tokens, ascending; forgets the marks. */
static size_t collect(tfm_vocab_subset *subset, uint32_t *list) {
    size_t n = 0, vocab = subset->all->w.n;
    for (size_t id = 0; id < vocab; id++) {
        list[n] = (uint32_t)id;
        n += subset->marked[id];
    }
    memset(subset->marked, 0, vocab);
    return n;
}

size_t tfm_shortlist_of(const tfm_shortlist *shortlist, tfm_vocab_subset *subset, const int32_t *source,
                        size_t n_source, uint32_t *list) {
    tfm_vocab_subset_mark(subset, shortlist->always, shortlist->n_always);
    for (size_t i = 0; i < n_source; i++) {
        uint32_t from = shortlist->offsets[source[i]], to = shortlist->offsets[source[i] + 1];
        tfm_vocab_subset_mark(subset, shortlist->targets + from, to - from);
    }
    return collect(subset, list);
}

void tfm_shortlist_mask(const uint32_t *list, size_t n, float *logits, size_t vocab_size) {
    for (size_t id = 0, i = 0; id < vocab_size; id++) {
        bool allowed = i < n && list[i] == id;
        if (!allowed) logits[id] = -INFINITY;
        i += allowed;
    }
}

/* ---- columns ---- */

void tfm_vocab_subset_allocate(tfm_vocab_subset *subset, tfm_arena *a, const tfm_linear *all, size_t n_rows) {
    size_t vocab = all->w.n;
    *subset = (tfm_vocab_subset){.all = all};
    /* One more than the vocabulary: collect() writes ahead of what it keeps. */
    subset->ids = tfm_arena_take(a, vocab + 1, sizeof *subset->ids);
    subset->place = tfm_arena_take(a, vocab, sizeof *subset->place);
    subset->marked = tfm_arena_take(a, vocab, sizeof *subset->marked);
    subset->panels = tfm_arena_take(a, tfm_panel_count(vocab), tfm_panel_bytes(all->w.dtype, all->w.k));
    subset->bias = tfm_arena_take(a, vocab, sizeof *subset->bias);
    subset->logits = tfm_arena_take(a, n_rows * vocab, sizeof *subset->logits);
}

static void gather_part(void *arg, unsigned worker, unsigned n_workers) {
    tfm_vocab_subset *subset = arg;
    const tfm_matrix *w = &subset->all->w;
    size_t begin, end;
    tfm_partition(subset->linear.w.n, TFM_PANEL, worker, n_workers, &begin, &end);
    for (size_t i = begin; i < end; i++)
        tfm_panels_copy_row(w->dtype, w->k, subset->panels, i, w->data, subset->ids[i]);
}

void tfm_vocab_subset_gather(tfm_vocab_subset *subset, tfm_pool *pool) {
    size_t n = collect(subset, subset->ids);
    for (size_t i = 0; i < n; i++) {
        subset->place[subset->ids[i]] = (uint32_t)i;
        if (subset->all->bias) subset->bias[i] = subset->all->bias[subset->ids[i]];
    }
    subset->linear.w = (tfm_matrix){subset->panels, subset->all->w.dtype, n, subset->all->w.k};
    subset->linear.bias = subset->all->bias ? subset->bias : NULL;
    tfm_pool_run(pool, gather_part, subset);
}

void tfm_vocab_subset_scatter(const tfm_vocab_subset *subset, size_t row, const uint32_t *list, size_t n,
                              float *logits) {
    const float *from = subset->logits + row * subset->linear.w.n;
    for (size_t i = 0; i < subset->all->w.n; i++) logits[i] = -INFINITY;
    for (size_t i = 0; i < n; i++) logits[list[i]] = from[subset->place[list[i]]];
}
