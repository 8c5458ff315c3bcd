/*
 * spm_bpe.c - byte-pair segmentation (Sennrich et al. 2016) with SentencePiece's order of merges: the best score first,
 * among equals the leftmost.
 *
 * Symbols are a linked list over the text; candidate merges wait in a heap, and those overtaken by another merge are
 * recognised by their length when they come up. Where no piece crosses the beginning of a word, words are segmented one
 * by one, which gives the same merges with a small heap.
 */
#include "spm.h"

#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "format/utf8.h"
#include "runtime/tokenizer/common/merge_heap.h"

#define NONE UINT32_MAX         /* no symbol; also: no piece begins with this symbol */
#define FROZEN (UINT32_MAX - 1) /* a user-defined symbol: never merged */
#define ON_STACK 128

typedef struct symbol {
    uint32_t start, length; /* bytes of the text; length 0: merged into another */
    uint32_t previous, next;
    uint32_t node; /* where the trie stands after this symbol, or NONE or FROZEN */
} symbol;

typedef struct segmenter {
    const tfm_spm *spm;
    const char *text;
    symbol *symbols;
    tfm_merge_candidate *heap; /* left: length of both symbols when it was found; right: the right symbol */
    size_t symbol_capacity, heap_capacity;
    uint32_t n_symbols;
    size_t n_heap;
    uint16_t *split; /* (n_pieces) length of the left part of unused pieces, or NULL */
    symbol first_symbols[ON_STACK];
    tfm_merge_candidate first_heap[ON_STACK];
} segmenter;

/* The higher a score, the lower its rank. */
static uint32_t rank_of(float score) {
    uint32_t bits;
    score += 0.0f; /* -0 and 0 are equal */
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 != 0 ? bits : bits ^ 0x7FFFFFFFu;
}

static bool push(segmenter *seg, float score, uint32_t left, uint32_t right, uint32_t length) {
    if (seg->n_heap == seg->heap_capacity &&
        !tfm_grow_from(seg->first_heap, &seg->heap, &seg->heap_capacity, seg->n_heap, 1, sizeof *seg->heap))
        return false;
    tfm_merge_heap_push(seg->heap, seg->n_heap++,
                        (tfm_merge_candidate){tfm_merge_order(rank_of(score), left), length, right});
    return true;
}

/* Adds the merge of two neighbours if it makes a piece. */
static bool add_candidate(segmenter *seg, uint32_t left, uint32_t right) {
    if (left == NONE || right == NONE) return true;
    const symbol *l = &seg->symbols[left], *r = &seg->symbols[right];
    if (l->node >= FROZEN || r->node == FROZEN || l->length + r->length > TFM_TRIE_MAX_KEY) return true;
    const tfm_trie *pieces = &seg->spm->pieces;
    uint32_t node = l->node;
    if (!tfm_trie_walk(pieces, &node, seg->text + r->start, r->length)) return true;
    uint32_t value = pieces->units[node].value;
    if (value == 0) return true;
    uint32_t number = (value & ~TFM_SPM_FLAGS) - 1;
    if ((value & TFM_SPM_UNUSED) != 0 && seg->split) seg->split[number] = (uint16_t)l->length;
    return push(seg, seg->spm->scores[number], left, right, l->length + r->length);
}

/* Cuts bytes start .. end into user-defined symbols and characters. */
static bool split_symbols(segmenter *seg, size_t start, size_t end) {
    const tfm_trie *fixed = &seg->spm->normalizer.symbols;
    seg->n_symbols = 0;
    for (size_t at = start; at < end;) {
        if (seg->n_symbols == seg->symbol_capacity &&
            !tfm_grow_from(seg->first_symbols, &seg->symbols, &seg->symbol_capacity, seg->n_symbols, 1,
                           sizeof *seg->symbols))
            return false;
        size_t length = 0;
        uint32_t node = 0;
        if (fixed->units && tfm_trie_longest(fixed, seg->text + at, end - at, &length) != 0) {
            node = FROZEN;
        } else {
            length = tfm_utf8_announced_length(seg->text[at]);
            if (length > end - at) length = end - at;
            if (!tfm_trie_walk(&seg->spm->pieces, &node, seg->text + at, length)) node = NONE;
        }
        uint32_t i = seg->n_symbols++;
        seg->symbols[i] = (symbol){(uint32_t)at, (uint32_t)length, i == 0 ? NONE : i - 1, i + 1, node};
        at += length;
    }
    if (seg->n_symbols > 0) seg->symbols[seg->n_symbols - 1].next = NONE;
    return true;
}

static bool merge_all(segmenter *seg) {
    seg->n_heap = 0;
    for (uint32_t i = 1; i < seg->n_symbols; i++) {
        if (!add_candidate(seg, i - 1, i)) return false;
    }
    while (seg->n_heap > 0) {
        tfm_merge_candidate best = tfm_merge_heap_pop(seg->heap, seg->n_heap--);
        uint32_t at = tfm_merge_place(&best), length = best.left;
        symbol *left = &seg->symbols[at], *right = &seg->symbols[best.right];
        if (left->length == 0 || right->length == 0 || left->length + right->length != length) continue;
        if (!tfm_trie_walk(&seg->spm->pieces, &left->node, seg->text + right->start, right->length)) left->node = NONE;
        left->length = length;
        left->next = right->next;
        if (right->next != NONE) seg->symbols[right->next].previous = at;
        right->length = 0;
        if (!add_candidate(seg, left->previous, at) || !add_candidate(seg, at, left->next)) return false;
    }
    return true;
}

/* Emits a symbol; an unused piece is taken apart again as it was put together. */
static bool emit_symbol(segmenter *seg, tfm_spm_emitter *emitter, size_t start, size_t length) {
    struct {
        size_t start, length;
    } stack[TFM_TRIE_MAX_KEY + 1];
    size_t depth = 0;
    stack[depth].start = start;
    stack[depth++].length = length;
    while (depth > 0) {
        depth--;
        size_t at = stack[depth].start, n = stack[depth].length;
        uint32_t value = tfm_trie_find(&seg->spm->pieces, seg->text + at, n);
        uint32_t number = (value & ~TFM_SPM_FLAGS) - 1;
        size_t left = value != 0 && (value & TFM_SPM_UNUSED) != 0 && seg->split ? seg->split[number] : 0;
        if (left > 0 && left < n) {
            stack[depth].start = at + left;
            stack[depth++].length = n - left;
            stack[depth].start = at;
            stack[depth++].length = left;
        } else if (value != 0 ? !tfm_spm_emit_piece(emitter, number, at, at + n)
                              : !tfm_spm_emit_unknown(emitter, at, at + n)) {
            return false;
        }
    }
    return true;
}

static bool segment(segmenter *seg, tfm_spm_emitter *emitter, size_t start, size_t end) {
    if (!split_symbols(seg, start, end) || !merge_all(seg)) return false;
    for (uint32_t i = 0; i < seg->n_symbols; i++) {
        if (seg->symbols[i].length > 0 && !emit_symbol(seg, emitter, seg->symbols[i].start, seg->symbols[i].length))
            return false;
    }
    return true;
}

/* End of the word that begins at start: before the first U+2581 that follows another character. */
static size_t word_end(const char *text, size_t start, size_t n) {
    bool inside = false;
    for (size_t at = start; at < n;) {
        bool space = n - at >= 3 && memcmp(text + at, TFM_SPM_SPACE, 3) == 0;
        if (space && inside) return at;
        inside |= !space;
        size_t length = tfm_utf8_announced_length(text[at]);
        at += length < n - at ? length : n - at;
    }
    return n;
}

bool tfm_spm_segment_bpe(tfm_spm_emitter *emitter, size_t n) {
    const tfm_spm *spm = emitter->spm;
    segmenter seg; /* the arrays on the stack are not cleared */
    seg.spm = spm;
    seg.text = emitter->text;
    seg.symbols = seg.first_symbols;
    seg.heap = seg.first_heap;
    seg.symbol_capacity = seg.heap_capacity = ON_STACK;
    seg.split = spm->has_unused ? calloc(spm->n_pieces, sizeof(uint16_t)) : NULL;
    bool ok = !spm->has_unused || seg.split;
    bool words = spm->merge_in_words && !spm->has_unused;
    for (size_t at = 0; ok && at < n;) {
        size_t end = words ? word_end(seg.text, at, n) : n;
        ok = segment(&seg, emitter, at, end);
        at = end;
    }
    if (seg.symbols != seg.first_symbols) free(seg.symbols);
    if (seg.heap != seg.first_heap) free(seg.heap);
    free(seg.split);
    return ok;
}
