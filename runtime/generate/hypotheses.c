/*
 * hypotheses.c - see hypotheses.h.
 */
#include "hypotheses.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/os/arena.h"

/* Where everything lies in the memory; NULL: not wanted. */
typedef struct lists {
    tfm_hypothesis *items;       /* (n) */
    const tfm_hypothesis **list; /* (n) */
    int32_t *ids;                /* (n, max_length) */
    float *log_probs;            /* (n, max_length) */
    float *attention;            /* (n, max_length, n_source) */
    int32_t *top_ids;            /* (n, max_length, n_top) */
    float *top_log_probs;        /* (n, max_length, n_top) */
} lists;

static lists allocate(tfm_arena *arena, const tfm_request *r) {
    size_t n = r->params.num_return_sequences, n_top = r->params.n_top_log_probs, tokens;
    lists l = {0};
    if (__builtin_mul_overflow(n, r->max_length, &tokens)) arena->overflow = true;
    l.items = tfm_arena_take(arena, n, sizeof *l.items);
    l.list = tfm_arena_take(arena, n, sizeof *l.list);
    l.ids = tfm_arena_take(arena, tokens, sizeof *l.ids);
    l.log_probs = tfm_arena_take(arena, tokens, sizeof *l.log_probs);
    if (r->params.keep_attention) l.attention = tfm_arena_take(arena, tokens, r->input->n * sizeof *l.attention);
    if (n_top == 0) return l;
    l.top_ids = tfm_arena_take(arena, tokens, n_top * sizeof *l.top_ids);
    l.top_log_probs = tfm_arena_take(arena, tokens, n_top * sizeof *l.top_log_probs);
    return l;
}

tfm_status tfm_hypotheses_reserve(tfm_hypotheses *hypotheses, const tfm_request *request, tfm_error *error) {
    tfm_arena count = {0};
    allocate(&count, request);
    if (!count.overflow && count.used <= hypotheses->memory_bytes) return TFM_OK;
    tfm_hypotheses_free(hypotheses);
    hypotheses->memory = count.overflow ? NULL : malloc(count.used);
    if (!hypotheses->memory)
        return tfm_no_memory(error, "%u hypotheses of %zu tokens", request->params.num_return_sequences,
                             request->max_length);
    hypotheses->memory_bytes = count.used;
    return TFM_OK;
}

void tfm_hypotheses_free(tfm_hypotheses *hypotheses) {
    free(hypotheses->memory);
    *hypotheses = (tfm_hypotheses){0};
}

/* What was kept of each token of a path that ends in node, oldest first, to tokens from `first` on of the lists. */
static void copy_details(const lists *l, const tfm_request *r, size_t max_source, int32_t node, size_t first,
                         size_t n) {
    const tfm_search *search = &r->search;
    size_t n_source = r->input->n, n_top = search->n_top;
    for (size_t to = first + n; to-- > first; node = search->nodes[node].parent) {
        size_t from = (size_t)node;
        if (l->attention)
            memcpy(l->attention + to * n_source, search->attention + from * max_source, n_source * sizeof(float));
        if (n_top == 0) continue;
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): what is wanted has been allocated */
        memcpy(l->top_ids + to * n_top, search->top_ids + from * n_top, n_top * sizeof(int32_t));
        memcpy(l->top_log_probs + to * n_top, search->top_log_probs + from * n_top, n_top * sizeof(float));
    }
}

static size_t path_length(const tfm_search *search, int32_t node) {
    size_t n = 0;
    for (; node >= 0; node = search->nodes[node].parent) n++;
    return n;
}

void tfm_hypotheses_write(tfm_hypotheses *hypotheses, tfm_request *request, size_t max_source) {
    tfm_search *search = &request->search;
    lists l = allocate(&(tfm_arena){.base = hypotheses->memory}, request);
    size_t n_source = request->input->n, n_top = search->n_top;
    tfm_search_finish(search);
    hypotheses->list = l.list;
    hypotheses->n = search->n_finished;
    if (hypotheses->n > request->params.num_return_sequences) hypotheses->n = request->params.num_return_sequences;
    for (size_t i = 0; i < hypotheses->n; i++) {
        const tfm_finished *f = &search->finished[i];
        size_t n = path_length(search, f->node) - search->output_start, first = i * request->max_length;
        tfm_search_path(search, f->node, n, l.ids + first, l.log_probs + first);
        copy_details(&l, request, max_source, f->node, first, n);
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the arena has memory here, it does not count */
        l.items[i] = (tfm_hypothesis){.ids = l.ids + first,
                                      .n = n,
                                      .ended = f->ended,
                                      .sum_log_prob = f->sum,
                                      .score = f->score,
                                      .log_probs = request->params.keep_log_probs ? l.log_probs + first : NULL,
                                      .attention = l.attention ? l.attention + first * n_source : NULL,
                                      .top_ids = n_top ? l.top_ids + first * n_top : NULL,
                                      .top_log_probs = n_top ? l.top_log_probs + first * n_top : NULL};
        l.list[i] = &l.items[i];
    }
}
