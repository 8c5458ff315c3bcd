/*
 * vocab_subset.h - the tokens an output may be made of, given its source: most of the vocabulary projection need not be
 * computed. Lexical shortlists as Marian and CTranslate2 have them; section `shortlist` of docs/model-contents.md.
 *
 * Every output has its own list, so results do not depend on the batch; only the product is formed once for the union
 * of all lists, over a copy of the columns concerned.
 */
#ifndef TFM_RUNTIME_GENERATE_VOCAB_SUBSET_H
#define TFM_RUNTIME_GENERATE_VOCAB_SUBSET_H

#include "runtime/model/model.h"
#include "runtime/os/arena.h"
#include "runtime/os/pool.h"

/* The columns of the projection that a batch needs. */
typedef struct tfm_vocab_subset {
    const tfm_linear *all;
    tfm_linear linear; /* the columns chosen, packed like the whole */
    uint32_t *ids;     /* (linear.w.n) their tokens, ascending */
    uint32_t *place;   /* (vocab) where a chosen token is in ids */
    uint8_t *marked;   /* (vocab) scratch */
    void *panels;      /* room for all */
    float *bias;
    float *logits; /* (max rows, linear.w.n), of the product */
} tfm_vocab_subset;

/* Lays the buffers out for a projection `all` and so many rows at once. */
void tfm_vocab_subset_allocate(tfm_vocab_subset *columns, tfm_arena *arena, const tfm_linear *all, size_t n_rows);

/* Marks tokens; the next tfm_shortlist_of or tfm_vocab_subset_gather takes all that are marked. */
void tfm_vocab_subset_mark(tfm_vocab_subset *columns, const uint32_t *list, size_t n);

/*
 * The list of a source: what is always allowed, what its tokens allow, and what is marked; ascending. list has room for
 * the vocabulary and one more. Returns how many.
 */
size_t tfm_shortlist_of(const tfm_shortlist *shortlist, tfm_vocab_subset *columns, const int32_t *source,
                        size_t n_source, uint32_t *list);

/* Makes `columns` hold all marked tokens: the union of the lists of a batch. */
void tfm_vocab_subset_gather(tfm_vocab_subset *columns, tfm_pool *pool);

/* -infinity for all logits (vocab_size) but those of the list. */
void tfm_shortlist_mask(const uint32_t *list, size_t n, float *logits, size_t vocab_size);

/* logits (vocab) of row `row`: those of the list from the product, -infinity for all others. */
void tfm_vocab_subset_scatter(const tfm_vocab_subset *columns, size_t row, const uint32_t *list, size_t n,
                              float *logits);

#endif
