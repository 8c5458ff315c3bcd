/*
 * pipeline_unigram.c - the most probable segmentation of a word under a unigram language model (Kudo 2018), with sums
 * in double precision as the Hugging Face library has them; spm_unigram.c does the same with SentencePiece's sums.
 *
 * Viterbi over byte positions: the best path to each is its last piece. Wherever no piece reaches over a position the
 * path to it is settled and emitted, so that memory follows the longest knot of overlapping pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "pipeline.h"

#define ON_STACK 512

/* The best path to a position: its last piece. */
typedef struct arrival {
    double score;
    uint32_t length; /* 0: no path */
    uint32_t id1;    /* id + 1; 0: an unknown character */
} arrival;

typedef struct lattice {
    const tfm_word_model *model;
    const char *text;
    const tfm_word_output *out;
    arrival *arrivals; /* at position base + i */
    size_t capacity;
    size_t base, reach;
    size_t unknown_start, unknown_end; /* a row of unknown characters not yet emitted */
    arrival first[ON_STACK];
} lattice;

static double score_of(const tfm_word_model *m, uint32_t id) {
    uint64_t bits = (uint64_t)m->scores[2 * id + 1] << 32 | m->scores[2 * id];
    double score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

static bool put(lattice *l, uint32_t id) {
    int32_t value = (int32_t)id;
    return tfm_ids_append(l->out->ids, &value, 1);
}

/* Unknown characters in a row are one piece if one is spelled so, else bytes, else unknown. */
static bool emit_unknown(lattice *l) {
    const char *text = l->text + l->unknown_start;
    size_t n = l->unknown_end - l->unknown_start;
    if (n == 0) return true;
    l->unknown_start = l->unknown_end;
    uint32_t id1 = tfm_trie_find(&l->model->pieces, text, n);
    if (id1 != 0) return put(l, id1 - 1);
    if (!l->model->byte_ids)
        return l->model->unknown_id == TFM_NO_ID ||
               (tfm_unknowns_note(l->out->unknowns, text, n) && put(l, l->model->unknown_id));
    for (size_t i = 0; i < n; i++) {
        if (!put(l, l->model->byte_ids[(unsigned char)text[i]])) return false;
    }
    return true;
}

static bool emit(lattice *l, size_t start, size_t end, uint32_t id1) {
    if (id1 == 0 || id1 - 1 == l->model->unknown_id) {
        if (l->unknown_start == l->unknown_end) l->unknown_start = start;
        l->unknown_end = end;
        return true;
    }
    return emit_unknown(l) && put(l, id1 - 1);
}

/* Emits the path that ends at `end`: its links are turned round in place, then followed forward. */
static bool emit_path(lattice *l, size_t end) {
    arrival *arrivals = l->arrivals, step = arrivals[end - l->base];
    double score = step.score;
    for (size_t at = end - l->base; at > 0;) {
        at -= step.length;
        arrival before = arrivals[at];
        arrivals[at] = step;
        step = before;
    }
    for (size_t at = l->base; at < end;) {
        step = arrivals[at - l->base];
        if (!emit(l, at, at + step.length, step.id1)) return false;
        at += step.length;
    }
    l->base = end;
    arrivals[0].score = score; /* sums go on along the word */
    return true;
}

static void offer(lattice *l, size_t from, size_t length, double score, uint32_t id1) {
    size_t to = from + length;
    while (l->reach < to) l->arrivals[++l->reach - l->base].length = 0;
    arrival *a = &l->arrivals[to - l->base];
    if (a->length == 0 || score > a->score) *a = (arrival){score, (uint32_t)length, id1};
}

/* Offers every piece that begins at a position to where it ends. */
static void extend(lattice *l, size_t at, size_t n, size_t character) {
    const tfm_trie *pieces = &l->model->pieces;
    const char *text = l->text + at;
    double here = l->arrivals[at - l->base].score;
    bool single = false;
    uint32_t node = 0;
    if (n > TFM_TRIE_MAX_KEY) n = TFM_TRIE_MAX_KEY;
    for (size_t i = 0; i < n && tfm_trie_step(pieces, &node, (unsigned char)text[i]); i++) {
        uint32_t id1 = pieces->units[node].value;
        if (id1 == 0) continue;
        offer(l, at, i + 1, score_of(l->model, id1 - 1) + here, id1);
        single |= i + 1 == character;
    }
    if (!single) offer(l, at, character, l->model->unknown_score + here, 0);
}

/* Rare, and kept apart from the loop that asks. */
__attribute__((noinline)) static bool grow(lattice *l, size_t n) {
    return tfm_grow_from(l->first, &l->arrivals, &l->capacity, l->capacity, n - l->capacity, sizeof *l->arrivals);
}

static bool reserve(lattice *l, size_t n) { return n <= l->capacity || grow(l, n); }

tfm_status tfm_word_model_encode_unigram(const tfm_word_model *model, const char *text, size_t n,
                                         const tfm_word_output *out) {
    lattice l; /* the array on the stack is not cleared */
    l.model = model;
    l.text = text;
    l.out = out;
    l.arrivals = l.first;
    l.capacity = ON_STACK;
    l.base = l.reach = l.unknown_start = l.unknown_end = 0;
    l.first[0] = (arrival){0};
    bool ok = true;
    for (size_t at = 0; ok && at < n;) {
        if (at == l.reach && at > l.base) ok = emit_path(&l, at);
        uint32_t code;
        size_t character = tfm_utf8_next(text + at, n - at, &code);
        size_t most = n - at < TFM_TRIE_MAX_KEY ? n - at : TFM_TRIE_MAX_KEY;
        ok = ok && reserve(&l, at - l.base + most + 1);
        if (ok) extend(&l, at, n - at, character);
        at += character;
    }
    ok = ok && (n == l.base || emit_path(&l, n)) && emit_unknown(&l);
    if (l.arrivals != l.first) free(l.arrivals);
    return ok ? TFM_OK : TFM_ERROR_MEMORY;
}
