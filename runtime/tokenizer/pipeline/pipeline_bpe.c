/*
 * pipeline_bpe.c - byte-pair encoding of a word (Sennrich, Haddow and Birch 2016) by a list of ranked merges: the pair
 * of the lowest rank is merged first, among equals the leftmost.
 *
 * Short words are merged by looking for the lowest rank again and again, long ones with a heap of candidates, so that
 * time is O(n log n). A word that tfmpack has found to come out as one piece is looked up as a whole.
 */
#include "pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "runtime/tokenizer/common/merge_heap.h"

#define SHORT 32
#define NONE UINT32_MAX

typedef struct symbol {
    uint32_t id;
    uint32_t previous, next;
} symbol;

typedef struct word {
    const tfm_word_model *model;
    uint32_t *ids;
    size_t n, capacity;
    uint32_t first[128];
    const tfm_word_output *out;
    const char *unknown; /* characters not yet emitted that are one unknown id */
    size_t n_unknown;    /* their bytes; 0: there are none */
} word;

static const tfm_merge *find_merge(const tfm_word_model *m, uint32_t left, uint32_t right) {
    if (m->n_merges == 0) return NULL;
    size_t slot = tfm_merge_slot(left, right, m->n_merges);
    for (;; slot = (slot + 1) & (m->n_merges - 1)) {
        const tfm_merge *merge = &m->merges[slot];
        if (merge->rank == TFM_NO_ID) return NULL;
        if (merge->left == left && merge->right == right) return merge;
    }
}

static bool add(word *w, uint32_t id) {
    if (w->n == w->capacity && !tfm_grow_from(w->first, &w->ids, &w->capacity, w->n, 1, sizeof *w->ids)) return false;
    w->ids[w->n++] = id;
    return true;
}

static bool end_unknown(word *w) {
    const size_t n = w->n_unknown;
    if (n == 0) return true;
    w->n_unknown = 0;
    return tfm_unknowns_note(w->out->unknowns, w->unknown, n) && add(w, w->model->unknown_id);
}

/* A character that no piece spells. */
static bool add_unknown(word *w, const char *text, size_t n) {
    const tfm_word_model *m = w->model;
    if (m->byte_ids) {
        for (size_t i = 0; i < n; i++) {
            if (!add(w, m->byte_ids[(unsigned char)text[i]])) return false;
        }
        return true;
    }
    if (m->unknown_id == TFM_NO_ID) return true;
    if (!m->fuse_unknown && !end_unknown(w)) return false;
    if (w->n_unknown == 0) w->unknown = text;
    w->n_unknown += n;
    return true;
}

/* The spelling of a character of a word with what marks its place in the word; the id of the piece + 1, or 0. */
static uint32_t character(const tfm_word_model *m, const char *text, size_t n, bool first, bool last) {
    uint32_t node = 0;
    if (!m->pieces.units || (!first && !tfm_trie_walk(&m->pieces, &node, m->prefix, m->n_prefix)) ||
        !tfm_trie_walk(&m->pieces, &node, text, n) ||
        (last && !tfm_trie_walk(&m->pieces, &node, m->suffix, m->n_suffix))) {
        return 0;
    }
    return m->pieces.units[node].value & ~TFM_PIECE_WHOLE;
}

/* Cuts a word into the pieces that merging begins with. */
static bool split_symbols(word *w, const char *text, size_t n) {
    const tfm_word_model *m = w->model;
    for (size_t at = 0; at < n;) {
        uint32_t code;
        size_t length = m->symbols ? 1 : tfm_utf8_next(text + at, n - at, &code);
        uint32_t id1 = m->symbols ? m->symbols[(unsigned char)text[at]] + 1
                                  : character(m, text + at, length, at == 0, at + length == n);
        if (id1 == 0 ? !add_unknown(w, text + at, length) : !end_unknown(w) || !add(w, id1 - 1)) return false;
        at += length;
    }
    return end_unknown(w);
}

static void merge_short(word *w) {
    const tfm_merge *pairs[SHORT];
    uint32_t *ids = w->ids;
    size_t n = w->n;
    for (size_t i = 0; i + 1 < n; i++) pairs[i] = find_merge(w->model, ids[i], ids[i + 1]);
    while (n > 1) {
        size_t best = n;
        uint32_t rank = TFM_NO_ID;
        for (size_t i = 0; i + 1 < n; i++) {
            if (pairs[i] && pairs[i]->rank < rank) {
                best = i;
                rank = pairs[i]->rank;
            }
        }
        if (best == n) break;
        ids[best] = pairs[best]->id;
        for (size_t i = best + 1; i + 1 < n; i++) ids[i] = ids[i + 1];
        for (size_t i = best + 1; i + 2 < n; i++) pairs[i] = pairs[i + 1];
        n--;
        if (best > 0) pairs[best - 1] = find_merge(w->model, ids[best - 1], ids[best]);
        if (best + 1 < n) pairs[best] = find_merge(w->model, ids[best], ids[best + 1]);
    }
    w->n = n;
}

/* ---- long words ---- */

typedef struct queue {
    const tfm_word_model *model;
    symbol *symbols;
    tfm_merge_candidate *heap; /* left, right: ids of the symbols */
    size_t n, capacity;
} queue;

/* Adds the merge of two neighbours if there is one. */
static bool add_candidate(queue *q, uint32_t left, uint32_t right) {
    if (left == NONE || right == NONE) return true;
    uint32_t left_id = q->symbols[left].id, right_id = q->symbols[right].id;
    const tfm_merge *merge = find_merge(q->model, left_id, right_id);
    if (!merge) return true;
    if (q->n == q->capacity && !tfm_grow(&q->heap, &q->capacity, q->n, 1, sizeof *q->heap)) return false;
    tfm_merge_candidate candidate = {tfm_merge_order(merge->rank, left), left_id, right_id};
    tfm_merge_heap_push(q->heap, q->n++, candidate);
    return true;
}

static bool merge_queue(queue *q, size_t n) {
    for (uint32_t i = 1; i < n; i++) {
        if (!add_candidate(q, i - 1, i)) return false;
    }
    while (q->n > 0) {
        tfm_merge_candidate best = tfm_merge_heap_pop(q->heap, q->n--);
        uint32_t at = tfm_merge_place(&best);
        symbol *left = &q->symbols[at];
        uint32_t gone = left->next;
        /* Overtaken by another merge: pieces never become what they were. */
        if (left->id != best.left || gone == NONE || q->symbols[gone].id != best.right) continue;
        left->id = find_merge(q->model, best.left, best.right)->id;
        left->next = q->symbols[gone].next;
        if (left->next != NONE) q->symbols[left->next].previous = at;
        q->symbols[gone].id = NONE;
        if (!add_candidate(q, left->previous, at) || !add_candidate(q, at, left->next)) return false;
    }
    return true;
}

static bool merge_long(word *w) {
    queue q = {.model = w->model, .capacity = w->n};
    q.symbols = reallocarray(NULL, w->n, sizeof *q.symbols);
    q.heap = reallocarray(NULL, w->n, sizeof *q.heap);
    bool ok = q.symbols && q.heap;
    if (ok) {
        for (uint32_t i = 0; i < w->n; i++) q.symbols[i] = (symbol){w->ids[i], i == 0 ? NONE : i - 1, i + 1};
        q.symbols[w->n - 1].next = NONE;
        ok = merge_queue(&q, w->n);
    }
    if (ok) {
        w->n = 0;
        for (uint32_t i = 0; i != NONE; i = q.symbols[i].next) w->ids[w->n++] = q.symbols[i].id;
    }
    free(q.symbols);
    free(q.heap);
    return ok;
}

tfm_status tfm_word_model_merge_bpe(const tfm_word_model *model, const char *text, size_t n,
                                    const tfm_word_output *out) {
    word w; /* the array on the stack is not cleared */
    w.model = model;
    w.ids = w.first;
    w.n = 0;
    w.capacity = sizeof w.first / sizeof w.first[0];
    w.out = out;
    w.n_unknown = 0;
    bool ok = split_symbols(&w, text, n);
    if (ok && w.n > SHORT) {
        ok = merge_long(&w);
    } else if (ok && w.n > 1) {
        merge_short(&w);
    }
    ok = ok && tfm_ids_append(out->ids, (const int32_t *)w.ids, w.n);
    if (w.ids != w.first) free(w.ids);
    return ok ? TFM_OK : TFM_ERROR_MEMORY;
}

/* The piece that a whole word is, as far as tfmpack knows; TFM_NO_ID if it is none. */
static uint32_t whole_piece(const tfm_word_model *m, const char *text, size_t n) {
    uint32_t node = 0;
    if (!m->pieces.units || n + m->n_suffix > TFM_TRIE_MAX_KEY || !tfm_trie_walk(&m->pieces, &node, text, n) ||
        !tfm_trie_walk(&m->pieces, &node, m->suffix, m->n_suffix)) {
        return TFM_NO_ID;
    }
    uint32_t value = m->pieces.units[node].value;
    if (m->ignore_merges && m->n_suffix == 0) return (value & ~TFM_PIECE_WHOLE) - 1;
    return (value & TFM_PIECE_WHOLE) != 0 ? (value & ~TFM_PIECE_WHOLE) - 1 : TFM_NO_ID;
}

static tfm_status encode_part(const tfm_word_model *model, const char *text, size_t n, const tfm_word_output *out) {
    tfm_ids *ids = out->ids;
    int32_t id = (int32_t)whole_piece(model, text, n);
    if (id < 0) return tfm_word_model_merge_bpe(model, text, n, out);
    if (ids->size == ids->capacity) return tfm_ids_append(ids, &id, 1) ? TFM_OK : TFM_ERROR_MEMORY;
    ids->data[ids->size++] = id;
    return TFM_OK;
}

/* End of the part of a word that merges cannot leave: before the first word_start that follows something else. */
static size_t part_end(const tfm_word_model *m, const char *text, size_t start, size_t n) {
    bool inside = false;
    for (size_t at = start; at < n;) {
        bool begins = n - at >= m->n_word_start && memcmp(text + at, m->word_start, m->n_word_start) == 0;
        if (begins && inside) return at;
        inside |= !begins;
        at += begins ? m->n_word_start : 1;
    }
    return n;
}

tfm_status tfm_word_model_encode_bpe(const tfm_word_model *model, const char *text, size_t n,
                                     const tfm_word_output *out) {
    if (!model->word_start) return encode_part(model, text, n, out);
    tfm_status status = TFM_OK;
    for (size_t at = 0; at < n && status == TFM_OK;) {
        size_t end = part_end(model, text, at, n);
        status = encode_part(model, text + at, end - at, out);
        at = end;
    }
    return status;
}
