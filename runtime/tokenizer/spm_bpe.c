/*
 * spm_bpe.c - byte-pair segmentation (Sennrich et al. 2016) with SentencePiece's order of merges: the best score first,
 * among equals the leftmost.
 *
 * Symbols are a linked list over the text; candidate merges wait in a heap, and those overtaken by another merge are
 * recognised by their length when they come up. Where no piece crosses the beginning of a word, words are segmented one
 * by one, which gives the same merges with a small heap.
 */
#include <stdlib.h>
#include <string.h>

#include "spm.h"
#include "utf8_strict.h"

#define NONE UINT32_MAX         /* no symbol; also: no piece begins with this symbol */
#define FROZEN (UINT32_MAX - 1) /* a user-defined symbol: never merged */
#define ON_STACK 128

typedef struct symbol {
    uint32_t start, length; /* bytes of the text; length 0: merged into another */
    uint32_t previous, next;
    uint32_t node; /* where the trie stands after this symbol, or NONE or FROZEN */
} symbol;

typedef struct merge {
    float score;
    uint32_t left, right;
    uint32_t length; /* of both when the merge was found */
} merge;

typedef struct work {
    const tfm_spm *spm;
    const char *text;
    symbol *symbols;
    merge *heap;
    size_t symbol_capacity, heap_capacity;
    uint32_t n_symbols;
    size_t n_heap;
    uint16_t *split; /* (n_pieces) length of the left part of unused pieces, or NULL */
    symbol first_symbols[ON_STACK];
    merge first_heap[ON_STACK];
} work;

/* Doubles an array that begins on the stack. */
static void *grow(void *data, void *first, size_t *capacity, size_t element) {
    size_t bytes;
    if (__builtin_mul_overflow(*capacity, element * 2, &bytes)) return NULL;
    void *bigger = realloc(data == first ? NULL : data, bytes);
    if (!bigger) return NULL;
    if (data == first) memcpy(bigger, first, *capacity * element);
    *capacity *= 2;
    return bigger;
}

static inline bool before(const merge *a, const merge *b) {
    return a->score > b->score || (a->score == b->score && a->left < b->left);
}

static bool push(work *w, merge m) {
    if (w->n_heap == w->heap_capacity) {
        merge *heap = grow(w->heap, w->first_heap, &w->heap_capacity, sizeof(merge));
        if (!heap) return false;
        w->heap = heap;
    }
    size_t i = w->n_heap++;
    for (; i > 0 && before(&m, &w->heap[(i - 1) / 2]); i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = m;
    return true;
}

static merge pop(work *w) {
    merge top = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->n_heap; i = child) {
        if (child + 1 < w->n_heap && before(&w->heap[child + 1], &w->heap[child])) child++;
        if (!before(&w->heap[child], &last)) break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return top;
}

/* Adds the merge of two neighbours if it makes a piece. */
static bool consider(work *w, uint32_t left, uint32_t right) {
    if (left == NONE || right == NONE) return true;
    const symbol *l = &w->symbols[left], *r = &w->symbols[right];
    if (l->node >= FROZEN || r->node == FROZEN || l->length + r->length > TFM_TRIE_MAX_KEY) return true;
    const tfm_trie *pieces = &w->spm->pieces;
    uint32_t node = l->node;
    if (!tfm_trie_walk(pieces, &node, w->text + r->start, r->length)) return true;
    uint32_t value = pieces->units[node].value;
    if (value == 0) return true;
    uint32_t number = (value & ~TFM_SPM_FLAGS) - 1;
    if ((value & TFM_SPM_UNUSED) != 0 && w->split) w->split[number] = (uint16_t)l->length;
    return push(w, (merge){w->spm->scores[number], left, right, l->length + r->length});
}

/* Cuts bytes start .. end into user-defined symbols and characters. */
static bool cut(work *w, size_t start, size_t end) {
    const tfm_trie *fixed = &w->spm->normalizer.symbols;
    w->n_symbols = 0;
    for (size_t at = start; at < end;) {
        if (w->n_symbols == w->symbol_capacity) {
            symbol *symbols = grow(w->symbols, w->first_symbols, &w->symbol_capacity, sizeof(symbol));
            if (!symbols) return false;
            w->symbols = symbols;
        }
        size_t length = 0;
        uint32_t node = 0;
        if (fixed->units && tfm_trie_longest(fixed, w->text + at, end - at, &length) != 0) {
            node = FROZEN;
        } else {
            length = tfm_utf8_step((unsigned char)w->text[at]);
            if (length > end - at) length = end - at;
            if (!tfm_trie_walk(&w->spm->pieces, &node, w->text + at, length)) node = NONE;
        }
        uint32_t i = w->n_symbols++;
        w->symbols[i] = (symbol){(uint32_t)at, (uint32_t)length, i == 0 ? NONE : i - 1, i + 1, node};
        at += length;
    }
    if (w->n_symbols > 0) w->symbols[w->n_symbols - 1].next = NONE;
    return true;
}

static bool merge_all(work *w) {
    w->n_heap = 0;
    for (uint32_t i = 1; i < w->n_symbols; i++) {
        if (!consider(w, i - 1, i)) return false;
    }
    while (w->n_heap > 0) {
        merge m = pop(w);
        symbol *left = &w->symbols[m.left], *right = &w->symbols[m.right];
        if (left->length == 0 || right->length == 0 || left->length + right->length != m.length) continue;
        if (!tfm_trie_walk(&w->spm->pieces, &left->node, w->text + right->start, right->length)) left->node = NONE;
        left->length = m.length;
        left->next = right->next;
        if (right->next != NONE) w->symbols[right->next].previous = m.left;
        right->length = 0;
        if (!consider(w, left->previous, m.left) || !consider(w, m.left, left->next)) return false;
    }
    return true;
}

/* Emits a symbol; an unused piece is taken apart again as it was put together. */
static bool emit(work *w, tfm_spm_emitter *emitter, size_t start, size_t length) {
    struct {
        size_t start, length;
    } stack[TFM_TRIE_MAX_KEY + 1];
    size_t depth = 0;
    stack[depth].start = start;
    stack[depth++].length = length;
    while (depth > 0) {
        depth--;
        size_t at = stack[depth].start, n = stack[depth].length;
        uint32_t value = tfm_trie_find(&w->spm->pieces, w->text + at, n);
        uint32_t number = (value & ~TFM_SPM_FLAGS) - 1;
        size_t left = value != 0 && (value & TFM_SPM_UNUSED) != 0 && w->split ? w->split[number] : 0;
        if (left > 0 && left < n) {
            stack[depth].start = at + left;
            stack[depth++].length = n - left;
            stack[depth].start = at;
            stack[depth++].length = left;
        } else if (value != 0 ? !tfm_spm_emit_piece(emitter, number) : !tfm_spm_emit_unknown(emitter, at, at + n)) {
            return false;
        }
    }
    return true;
}

static bool segment(work *w, tfm_spm_emitter *emitter, size_t start, size_t end) {
    if (!cut(w, start, end) || !merge_all(w)) return false;
    for (uint32_t i = 0; i < w->n_symbols; i++) {
        const symbol *s = &w->symbols[i];
        if (s->length > 0 && !emit(w, emitter, s->start, s->length)) return false;
    }
    return true;
}

/* End of the word that begins at start: before the first U+2581 that follows another character. */
static size_t word_end(const char *text, size_t start, size_t n) {
    bool inside = false;
    for (size_t at = start; at < n;) {
        bool space = n - at >= 3 && memcmp(text + at, TFM_UTF8_SPACE, 3) == 0;
        if (space && inside) return at;
        inside |= !space;
        size_t length = tfm_utf8_step((unsigned char)text[at]);
        at += length < n - at ? length : n - at;
    }
    return n;
}

bool tfm_bpe_encode(tfm_spm_emitter *emitter, size_t n) {
    const tfm_spm *spm = emitter->spm;
    work w; /* the arrays on the stack are not cleared */
    w.spm = spm;
    w.text = emitter->text;
    w.symbols = w.first_symbols;
    w.heap = w.first_heap;
    w.symbol_capacity = w.heap_capacity = ON_STACK;
    w.split = spm->has_unused ? calloc(spm->n_pieces, sizeof(uint16_t)) : NULL;
    bool ok = !spm->has_unused || w.split;
    bool words = spm->merge_in_words && !spm->has_unused;
    for (size_t at = 0; ok && at < n;) {
        size_t end = words ? word_end(w.text, at, n) : n;
        ok = segment(&w, emitter, at, end);
        at = end;
    }
    if (w.symbols != w.first_symbols) free(w.symbols);
    if (w.heap != w.first_heap) free(w.heap);
    free(w.split);
    return ok;
}
