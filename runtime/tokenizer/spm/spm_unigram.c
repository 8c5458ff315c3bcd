/*
 * spm_unigram.c - the most probable segmentation under a unigram language model (Kudo 2018, "Subword Regularization").
 *
 * Viterbi over byte positions: the best path to each position is its last piece. Scores are summed in float along the
 * text and compared in double, as SentencePiece 0.1.97 does, since ties and near ties decide ids. Wherever no piece
 * reaches over a position the path to it is settled and emitted, so memory follows the longest knot of overlapping
 * pieces (a word, as a rule) and not the text.
 */
#include <stdlib.h>
#include <string.h>

#include "format/grow.h"
#include "format/utf8.h"
#include "spm.h"

#define ON_STACK 2048

/* A step of a path: length << 22 | piece number + 1, where number + 1 = 0 is an unknown character; 0: none. */
#define STEP_BITS 22
#define STEP_MASK ((1u << STEP_BITS) - 1)

/* The best path to a position: its last step and its score. */
typedef struct arrival {
    uint32_t step;
    float score;
} arrival;

typedef struct lattice {
    arrival *arrivals; /* at position base + i */
    size_t capacity;
    arrival first[ON_STACK];
    size_t base;  /* everything before is emitted */
    size_t reach; /* farthest position with an arrival */
} lattice;

/* Rare, and kept apart from the loop that asks. */
__attribute__((noinline)) static bool grow(lattice *l, size_t n) {
    return tfm_grow_from(l->first, &l->arrivals, &l->capacity, l->capacity, n - l->capacity, sizeof *l->arrivals);
}

static bool reserve(lattice *l, size_t n) { return n <= l->capacity || grow(l, n); }

/* Emits the path that ends at `end`: its links are turned round in place, then followed forward. */
static bool emit_path(lattice *l, size_t end, tfm_spm_emitter *emitter) {
    arrival *arrivals = l->arrivals;
    uint32_t step = arrivals[end - l->base].step;
    float score = arrivals[end - l->base].score;
    for (size_t at = end - l->base; at > 0;) {
        at -= step >> STEP_BITS;
        uint32_t before = arrivals[at].step;
        arrivals[at].step = step;
        step = before;
    }
    for (size_t at = l->base; at < end;) {
        step = arrivals[at - l->base].step;
        size_t next = at + (step >> STEP_BITS);
        uint32_t number1 = step & STEP_MASK;
        if (number1 != 0 ? !tfm_spm_emit_piece(emitter, number1 - 1, at, next)
                         : !tfm_spm_emit_unknown(emitter, at, next)) {
            return false;
        }
        at = next;
    }
    l->base = end;
    arrivals[0].score = score; /* sums go on along the text */
    return true;
}

/*
 * Offers every piece that text begins with to the position where it ends; one unknown character where no piece is just
 * one character. from[i] is the arrival at text + i, known up to i = reach; returns the new reach.
 */
static size_t extend(const tfm_spm *spm, const char *text, size_t n, size_t character, arrival *from, size_t reach) {
    const tfm_trie_unit *units = spm->pieces.units;
    const double here = (double)from->score;
    uint32_t link = units[0].link;
    bool single = false;
    if (n > TFM_TRIE_MAX_KEY) n = TFM_TRIE_MAX_KEY;
    for (size_t length = 1; length <= n; length++) {
        unsigned char byte = (unsigned char)text[length - 1];
        tfm_trie_unit unit = units[(link >> TFM_TRIE_BASE_SHIFT) ^ byte];
        if ((unit.link & 0x1FFu) != (TFM_TRIE_USED | byte)) break;
        link = unit.link;
        if (unit.value == 0) continue;
        uint32_t number1 = unit.value & ~TFM_SPM_FLAGS;
        double score = (double)spm->scores[number1 - 1];
        if ((unit.value & TFM_SPM_FLAGS) != 0) {
            if ((unit.value & TFM_SPM_UNUSED) != 0) continue;
            score = (double)((float)length * spm->max_score) - 0.1;
        }
        score += here;
        single |= length == character;
        while (reach < length) from[++reach].step = 0;
        if (from[length].step == 0 || score > (double)from[length].score) {
            from[length] = (arrival){(uint32_t)length << STEP_BITS | number1, (float)score};
        }
    }
    if (single) return reach;
    float score = spm->unknown_score + from->score;
    while (reach < character) from[++reach].step = 0;
    if (from[character].step == 0 || score > from[character].score) {
        from[character] = (arrival){(uint32_t)character << STEP_BITS, score};
    }
    return reach;
}

bool tfm_spm_segment_unigram(tfm_spm_emitter *emitter, size_t n) {
    const char *text = emitter->text;
    lattice l; /* not cleared: 16 KB would cost more than a short text */
    l.arrivals = l.first;
    l.capacity = ON_STACK;
    l.first[0] = (arrival){0, 0.0f};
    l.base = l.reach = 0;
    bool ok = true;
    for (size_t at = 0; ok && at < n;) {
        if (at == l.reach && at > l.base && !emit_path(&l, at, emitter)) {
            ok = false;
            break;
        }
        size_t character = tfm_utf8_announced_length(text[at]);
        if (character > n - at) character = n - at;
        ok = reserve(&l, at - l.base + TFM_TRIE_MAX_KEY + 1);
        if (!ok) break;
        l.reach = at + extend(emitter->spm, text + at, n - at, character, &l.arrivals[at - l.base], l.reach - at);
        at += character;
    }
    if (ok && n > l.base) ok = emit_path(&l, n, emitter);
    if (l.arrivals != l.first) free(l.arrivals);
    return ok;
}
