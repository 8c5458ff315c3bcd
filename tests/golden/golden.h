/* golden.h - what the checks of all kinds of golden checkpoints share. */
#ifndef TFM_TESTS_GOLDEN_GOLDEN_H
#define TFM_TESTS_GOLDEN_GOLDEN_H

#include <jansson.h>
#include <stdio.h>

#include "golden_unsupported.h"
#include "runtime/tfm.h"
#include "tools/safetensors/safetensors.h"

#define GOLDEN_TOLERANCE 1e-4

/* Lists of ids, and which row of the expected arrays each belongs to. */
typedef struct golden_ids {
    size_t n, n_rows; /* fewer than rows where some are left out */
    tfm_tokens *of;   /* [n] */
    size_t *row;      /* [n] */
} golden_ids;

typedef struct golden {
    const char *path, *name;
    const golden_unsupported *lacks; /* NULL: everything must come out right */
    json_t *expected;
    tfm_safetensors *arrays;
    tfm_pool *pool;
    tfm_model *model;
    tfm_session *session;
    golden_ids inputs;                   /* expected.json's sequences */
    uint32_t n_layers[2], final_norm[2]; /* of encoder and decoder, as packed */
    size_t d_model, vocab_size;
    double largest[3]; /* differences so far: of states, of logits, of vectors and probabilities */
    tfm_error error;
} golden;

/* Zeroed memory; the test ends where there is none. */
void *golden_allocate(size_t n, size_t size);
/* FOLDER/FILE; the caller frees it. */
char *golden_join(const char *folder, const char *file);
/* What expected.json holds under a name, empty when it holds nothing; freed with golden_free_ids. */
golden_ids golden_read_ids(const golden *g, const char *name);
void golden_free_ids(golden_ids *ids);
/* The ids of one list; the caller frees them. */
tfm_tokens golden_read_list(const json_t *list);

/* golden_compare.c: results against arrays, one case each. */

/* rows[i] (inputs[i].n, width) against the array (n_rows, longest, width); by_row: one row each against (n_rows,
 * width). */
void golden_compare(golden *g, const char *array, float *const *rows, const golden_ids *inputs, size_t width);
void golden_compare_by_row(golden *g, const char *array, float *const *rows, size_t width);
/* rows (n, width) against an array of that shape. */
void golden_compare_one(golden *g, const char *array, const float *rows, size_t n, size_t width);
bool golden_has(const golden *g, const char *array);

/* Shortens a stack to its first n layers, without the norm after the last if any are missing; UINT32_MAX restores it.
 */
void golden_cut(golden *g, bool decoder, uint32_t n);
/* The input whose states after each layer are known; inputs.n where it is left out. */
size_t golden_debug_input(const golden *g);

/* golden_seq2seq.c: states and logits of encoder-decoders. */
void golden_check_seq2seq(golden *g);
/* golden_causal.c: states and logits of decoder-only models. */
void golden_check_causal(golden *g);
/* golden_encoder.c: states, vectors and scores of encoder-only models. */
void golden_check_encoder(golden *g);
/* golden_generate.c: ids and scores of every generation case. */
void golden_check_generation(golden *g);

#endif
