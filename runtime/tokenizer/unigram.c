/*
 * unigram.c - the most probable segmentation under a unigram language model (Kudo 2018, "Subword Regularization").
 *
 * Viterbi over byte positions: the best path to each position is its last piece. Scores are summed in float along the
 * text and compared in double, as SentencePiece 0.1.97 does, since ties and near ties decide ids. Wherever no piece
 * reaches over a position the path to it is settled and emitted, so memory follows the longest knot of overlapping
 * pieces (a word, as a rule) and not the text.
 */
#include <stdlib.h>
#include <string.h>

#include "spm.h"
#include "utf8.h"

#define ON_STACK 4096
#define WINDOW 1024u /* scores that can still be asked for: TFM_TRIE_MAX_KEY + 1, a power of two */

/* A step of a path: length << 22 | piece number + 1, where number + 1 = 0 is an unknown character; 0: none. */
#define STEP_BITS 22
#define STEP_MASK ((1u << STEP_BITS) - 1)

typedef struct lattice {
    uint32_t *steps; /* step that ends at base + i */
    size_t capacity;
    uint32_t first[ON_STACK];
    float scores[WINDOW]; /* of the best path to a position, by position modulo WINDOW */
    size_t base;          /* everything before is emitted */
    size_t reach;         /* farthest end of a step so far */
} lattice;

static bool reserve(lattice *l, size_t n) {
    if (n <= l->capacity) return true;
    size_t capacity, bytes;
    if (__builtin_mul_overflow(n, (size_t)2, &capacity) || __builtin_mul_overflow(capacity, sizeof(uint32_t), &bytes)) {
        return false;
    }
    uint32_t *steps = realloc(l->steps == l->first ? NULL : l->steps, bytes);
    if (steps == NULL) return false;
    if (l->steps == l->first) memcpy(steps, l->first, sizeof(l->first));
    l->steps = steps;
    l->capacity = capacity;
    return true;
}

/* The step that ends at position end, with all positions before it marked as not reached where they are new. */
static inline uint32_t *step_at(lattice *l, size_t end) {
    if (end > l->reach) {
        memset(l->steps + (l->reach + 1 - l->base), 0, (end - l->reach) * sizeof(uint32_t));
        l->reach = end;
    }
    return &l->steps[end - l->base];
}

static inline void offer(lattice *l, size_t start, size_t end, double score, uint32_t number1) {
    uint32_t *step = step_at(l, end);
    float *best = &l->scores[end % WINDOW];
    if (*step == 0 || score > (double)*best) {
        *best = (float)score;
        *step = (uint32_t)(end - start) << STEP_BITS | number1;
    }
}

/* Emits the path that ends at `end`: its links are turned round in place, then followed forward. */
static bool emit_path(lattice *l, size_t end, tfm_spm_emitter *emitter) {
    uint32_t step = l->steps[end - l->base];
    for (size_t at = end - l->base; at > 0;) {
        at -= step >> STEP_BITS;
        uint32_t before = l->steps[at];
        l->steps[at] = step;
        step = before;
    }
    for (size_t at = l->base; at < end;) {
        step = l->steps[at - l->base];
        size_t next = at + (step >> STEP_BITS);
        uint32_t number1 = step & STEP_MASK;
        if (number1 != 0 ? !tfm_spm_emit_piece(emitter, number1 - 1) : !tfm_spm_emit_unknown(emitter, at, next)) {
            return false;
        }
        at = next;
    }
    l->base = end;
    return true;
}

/* Offers every piece that begins at start; one unknown character where no piece is just one character. */
static void extend(lattice *l, const tfm_spm *spm, const char *text, size_t start, size_t character, size_t n) {
    float here = l->scores[start % WINDOW];
    size_t limit = n - start > TFM_TRIE_MAX_KEY ? start + TFM_TRIE_MAX_KEY : n;
    uint32_t node = 0;
    bool single = false;
    for (size_t at = start; at < limit && tfm_trie_step(&spm->pieces, &node, (unsigned char)text[at]); at++) {
        uint32_t value = spm->pieces.units[node].value;
        if (value == 0 || (value & TFM_SPM_UNUSED) != 0) continue;
        size_t length = at + 1 - start;
        uint32_t number1 = value & ~TFM_SPM_FLAGS;
        double score = (value & TFM_SPM_USER_DEFINED) != 0 ? (double)((float)length * spm->max_score) - 0.1
                                                           : (double)spm->scores[number1 - 1];
        offer(l, start, at + 1, score + (double)here, number1);
        single |= length == character;
    }
    if (!single) offer(l, start, start + character, (double)(float)(spm->unknown_score + here), 0);
}

bool tfm_unigram_encode(tfm_spm_emitter *emitter, size_t n) {
    const char *text = emitter->text;
    lattice l; /* not cleared: 20 KB would cost more than a short text */
    l.steps = l.first;
    l.capacity = ON_STACK;
    l.steps[0] = 0;
    l.scores[0] = 0.0f;
    l.base = l.reach = 0;
    bool ok = true;
    for (size_t at = 0; at < n;) {
        if (at == l.reach && at > l.base) {
            ok = emit_path(&l, at, emitter);
            if (!ok) break;
        }
        size_t character = tfm_utf8_step((unsigned char)text[at]);
        if (character > n - at) character = n - at;
        ok = reserve(&l, at - l.base + TFM_TRIE_MAX_KEY + 1);
        if (!ok) break;
        extend(&l, emitter->spm, text, at, character, n);
        at += character;
    }
    if (ok && n > l.base) ok = emit_path(&l, n, emitter);
    if (l.steps != l.first) free(l.steps);
    return ok;
}
