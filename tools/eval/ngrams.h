/*
 * ngrams.h - counting the n-grams two sequences have in common.
 *
 * A sequence is an array of symbols: code points, or numbers that stand for words.
 */
#ifndef TFM_TOOLS_EVAL_NGRAMS_H
#define TFM_TOOLS_EVAL_NGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The positions of a sequence, sorted by the max_order symbols that follow. */
typedef struct tfm_ngrams {
    const uint32_t *symbols; /* borrowed; must outlive this */
    uint32_t *starts;        /* (n) */
    uint32_t n;
    unsigned max_order;
    uint32_t cursor; /* of tfm_ngrams_match */
} tfm_ngrams;

/* false when memory is out or n is over 2^32 - 1; *ngrams may be given to tfm_ngrams_free either way. */
bool tfm_ngrams_make(tfm_ngrams *ngrams, const uint32_t *symbols, size_t n, unsigned max_order);
void tfm_ngrams_free(tfm_ngrams *ngrams);

/* Number of n-grams of an order (1 .. max_order). */
uint64_t tfm_ngrams_count(const tfm_ngrams *ngrams, unsigned order);

/*
 * Sum over the distinct n-grams of the hypothesis of min(times it occurs there, most times it occurs in any one
 * reference): the clipped matches of Papineni et al. 2002. All must have been made with a max_order >= order.
 */
uint64_t tfm_ngrams_match(const tfm_ngrams *hypothesis, tfm_ngrams *references, size_t n_references, unsigned order);

#endif
