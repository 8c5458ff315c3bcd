/* vocab_subset.c - reading shortlists, gathering the columns of the projection they name. */
#include "vocab_subset.h"

#include <math.h>
#include <string.h>

/* ---- the section ---------------------------------------------------------------------------------------------- */

static bool ascending(const uint32_t *ids, size_t n, uint32_t vocab_size) {
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= vocab_size || (i > 0 && ids[i] <= ids[i - 1])) return false;
    return true;
}

static bool lists_good(const tfm_shortlist *s, size_t n_targets, uint32_t vocab_size) {
    if (s->offsets[0] != 0 || s->offsets[s->n_sources] != n_targets) return false;
    for (size_t i = 0; i < s->n_sources; i++)
        if (s->offsets[i] > s->offsets[i + 1] || s->offsets[i + 1] > n_targets) return false;
    for (size_t i = 0; i < s->n_sources; i++)
        if (!ascending(s->targets + s->offsets[i], s->offsets[i + 1] - s->offsets[i], vocab_size)) return false;
    return true;
}

tfm_status tfm_shortlist_read(tfm_shortlist *s, const tfm_table *table, const tfm_architecture *options,
                              const char *path, tfm_error *error) {
    *s = (tfm_shortlist){0};
    if (!table) return TFM_OK;
    const tfm_value *always = tfm_table_find(table, "always"), *offsets = tfm_table_find(table, "offsets");
    const tfm_value *targets = tfm_table_find(table, "targets");
    bool good = options->kind == TFM_KIND_ENCODER_DECODER && tfm_table_count(table) == 3 && always && offsets &&
                targets && always->type == TFM_VALUE_U32S && offsets->type == TFM_VALUE_U32S &&
                targets->type == TFM_VALUE_U32S && offsets->n == (size_t)options->encoder.vocab_size + 1;
    if (good) {
        *s = (tfm_shortlist){always->data, offsets->data, targets->data, always->n, options->encoder.vocab_size};
        uint32_t vocab_size = options->decoder.vocab_size;
        good = ascending(s->always, s->n_always, vocab_size) && lists_good(s, targets->n, vocab_size);
    }
    if (good) return TFM_OK;
    *s = (tfm_shortlist){0};
    return tfm_fail(error, TFM_ERROR_FORMAT, "%s: section shortlist does not fit the model; pack it again", path);
}

/* ---- lists ---------------------------------------------------------------------------------------------------- */

void tfm_vocab_subset_mark(tfm_vocab_subset *c, const uint32_t *list, size_t n) {
    for (size_t i = 0; i < n; i++) c->marked[list[i]] = 1;
}

/* The marked tokens, ascending; forgets the marks. */
static size_t collect(tfm_vocab_subset *c, uint32_t *list) {
    size_t n = 0, vocab = c->all->w.n;
    for (size_t id = 0; id < vocab; id++) {
        list[n] = (uint32_t)id;
        n += c->marked[id];
    }
    memset(c->marked, 0, vocab);
    return n;
}

size_t tfm_shortlist_of(const tfm_shortlist *s, tfm_vocab_subset *c, const int32_t *source, size_t n_source,
                        uint32_t *list) {
    tfm_vocab_subset_mark(c, s->always, s->n_always);
    for (size_t i = 0; i < n_source; i++) {
        uint32_t from = s->offsets[source[i]], to = s->offsets[source[i] + 1];
        tfm_vocab_subset_mark(c, s->targets + from, to - from);
    }
    return collect(c, list);
}

/* ---- columns -------------------------------------------------------------------------------------------------- */

void tfm_vocab_subset_place(tfm_vocab_subset *c, tfm_arena *a, const tfm_linear *all, size_t n_rows) {
    size_t vocab = all->w.n;
    *c = (tfm_vocab_subset){.all = all};
    /* One more than the vocabulary: collect() writes ahead of what it keeps. */
    c->ids = tfm_arena_take(a, vocab + 1, sizeof *c->ids);
    c->place = tfm_arena_take(a, vocab, sizeof *c->place);
    c->marked = tfm_arena_take(a, vocab, sizeof *c->marked);
    c->panels = tfm_arena_take(a, tfm_panel_count(vocab), tfm_panel_bytes(all->w.dtype, all->w.k));
    c->bias = tfm_arena_take(a, vocab, sizeof *c->bias);
    c->logits = tfm_arena_take(a, n_rows * vocab, sizeof *c->logits);
}

/*
 * A panel is lines of TFM_PANEL units, one for each lane: the unit is an element of a float type, four columns of int8
 * and the scales behind them (4 bytes); eight columns of int4 (4 bytes), and in every block two lines of scales (2
 * bytes).
 */
static void copy_lane(char *to, size_t to_lane, const char *from, size_t from_lane, size_t unit, size_t n_lines) {
    to += to_lane * unit;
    from += from_lane * unit;
    for (size_t i = 0; i < n_lines; i++) memcpy(to + i * TFM_PANEL * unit, from + i * TFM_PANEL * unit, unit);
}

static void copy_column(const tfm_matrix *w, char *to, size_t to_lane, const char *from, size_t from_lane) {
    size_t bytes = tfm_panel_bytes(w->dtype, w->k);
    if (w->dtype == TFM_I4) {
        for (size_t block = 0; block < bytes; block += TFM_I4_BLOCK_BYTES) {
            copy_lane(to + block, to_lane, from + block, from_lane, 4, 8);
            copy_lane(to + block + 512, to_lane, from + block + 512, from_lane, 2, 2);
        }
    } else if (w->dtype == TFM_F16 || w->dtype == TFM_BF16) {
        copy_lane(to, to_lane, from, from_lane, 2, w->k);
    } else {
        copy_lane(to, to_lane, from, from_lane, 4, bytes / (TFM_PANEL * 4));
    }
}

static void gather_part(void *arg, unsigned worker, unsigned n_workers) {
    tfm_vocab_subset *c = arg;
    const tfm_matrix *w = &c->all->w;
    size_t bytes = tfm_panel_bytes(w->dtype, w->k), begin, end;
    tfm_partition(c->linear.w.n, TFM_PANEL, worker, n_workers, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        char *to = (char *)c->panels + i / TFM_PANEL * bytes;
        copy_column(w, to, i % TFM_PANEL, (const char *)w->data + c->ids[i] / TFM_PANEL * bytes, c->ids[i] % TFM_PANEL);
    }
}

void tfm_vocab_subset_gather(tfm_vocab_subset *c, tfm_pool *pool) {
    size_t n = collect(c, c->ids);
    for (size_t i = 0; i < n; i++) {
        c->place[c->ids[i]] = (uint32_t)i;
        if (c->all->bias) c->bias[i] = c->all->bias[c->ids[i]];
    }
    c->linear.w = (tfm_matrix){c->panels, c->all->w.dtype, n, c->all->w.k};
    c->linear.bias = c->all->bias ? c->bias : NULL;
    tfm_pool_run(pool, gather_part, c);
}

void tfm_vocab_subset_spread(const tfm_vocab_subset *c, size_t row, const uint32_t *list, size_t n, float *logits) {
    const float *from = c->logits + row * c->linear.w.n;
    for (size_t i = 0; i < c->all->w.n; i++) logits[i] = -INFINITY;
    for (size_t i = 0; i < n; i++) logits[list[i]] = from[c->place[list[i]]];
}
