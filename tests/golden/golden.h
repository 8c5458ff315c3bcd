/* golden.h - what the checks of all kinds of golden checkpoints share. */
#ifndef TFM_TESTS_GOLDEN_GOLDEN_H
#define TFM_TESTS_GOLDEN_GOLDEN_H

#include <jansson.h>
#include <stdio.h>

#include "runtime/tfm.h"
#include "tools/common/safetensors.h"

#define GOLDEN_TOLERANCE 1e-4

typedef struct golden {
    const char *path, *name;
    json_t *expected;
    tfm_safetensors *arrays;
    tfm_pool *pool;
    tfm_model *model;
    tfm_session *session;
    size_t n;
    tfm_tokens *inputs;                  /* [n] expected.json's sequences */
    uint32_t n_layers[2], final_norm[2]; /* of encoder and decoder, as packed */
    size_t d_model, vocab_size;
    double largest[3]; /* differences so far: of states, of logits, of vectors and probabilities */
    tfm_error error;
} golden;

void *golden_allocate(size_t n, size_t size);
/* Lists of ids, one for each input; freed with golden_free_ids. */
tfm_tokens *golden_read_ids(const json_t *lists, size_t *n);
void golden_free_ids(tfm_tokens **lists, size_t n);

/*
 * One case: rows[i] (lengths[i].n, width) against the array (n, longest, width); lengths NULL: one row each against
 * (n, width).
 */
void golden_compare(golden *g, const char *array, float *const *rows, const tfm_tokens *lengths, size_t width);
/* One case: rows (n, width) against an array of that shape. */
void golden_compare_one(golden *g, const char *array, const float *rows, size_t n, size_t width);
bool golden_has(const golden *g, const char *array);

/* Shortens a stack to its first n layers, without the norm after the last if any are missing; UINT32_MAX restores it.
 */
void golden_cut(golden *g, bool decoder, uint32_t n);

/* golden_seq2seq.c: states and logits of encoder-decoders. */
void golden_check_seq2seq(golden *g);
/* golden_causal.c: states and logits of decoder-only models. */
void golden_check_causal(golden *g);
/* golden_encoder.c: states, vectors and scores of encoder-only models. */
void golden_check_encoder(golden *g);

#endif
