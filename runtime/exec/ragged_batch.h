/*
 * ragged_batch.h - what a pass runs over: the tokens of several sequences, one after the other, without padding.
 *
 * Every token is a row of one matrix; a run says which rows belong to which sequence and where they stand in it.
 * Products and norms take all rows alike, attention goes run by run.
 */
#ifndef TFM_RUNTIME_EXEC_RAGGED_BATCH_H
#define TFM_RUNTIME_EXEC_RAGGED_BATCH_H

#include <stddef.h>
#include <stdint.h>

/* One sequence's part of a batch: n rows from row on, at positions past, past + 1, ... */
typedef struct tfm_run {
    size_t row, n, past;
    int32_t sequence;            /* of the decoder; of the encoder: the source */
    const uint32_t *pages;       /* self-attention */
    const uint32_t *cross_pages; /* cross-attention, over n_source positions */
    size_t n_source;
} tfm_run;

typedef struct tfm_ragged_batch {
    tfm_run *runs; /* (n_runs) */
    size_t n_runs, n_tokens;
    int32_t *ids;          /* (n_tokens) */
    uint32_t *token_types; /* (n_tokens), NULL: the model has none */
    uint32_t *positions;   /* (n_tokens) rows of the tables of positions; filled in by the pass */
} tfm_ragged_batch;

static inline void tfm_ragged_batch_clear(tfm_ragged_batch *batch) { batch->n_runs = batch->n_tokens = 0; }

/*
 * Appends n tokens, all of type 0, as a run whose first stands at position past. The caller, who has made sure of the
 * room, fills in what else the run needs. It stays where it is until the batch is cleared.
 */
tfm_run *tfm_ragged_batch_append(tfm_ragged_batch *batch, const int32_t *ids, size_t n, size_t past);

#endif
