/* outputs.h - keeps what tfm_generate hands to its callbacks, for comparison. */
#ifndef TFM_TESTS_SUPPORT_OUTPUTS_H
#define TFM_TESTS_SUPPORT_OUTPUTS_H

#include "runtime/tfm.h"

typedef struct output {
    int32_t *ids;
    size_t n;
    bool ended;
    double sum_log_prob, score;
    float *log_probs; /* NULL if not kept */
    float *attention; /* (n, n_source), NULL if not kept */
} output;

typedef struct outputs {
    const tfm_input *inputs;
    size_t n;          /* inputs */
    size_t n_each;     /* room for hypotheses of each */
    output *items;     /* (n, n_each) */
    size_t *counts;    /* hypotheses that came */
    unsigned *calls;   /* of on_result */
    tfm_error *errors; /* of inputs that were not run */
} outputs;

/*
 * Generates for n inputs and keeps every hypothesis. *result is NULL on failure, also of an input; outputs_free takes
 * it back. params may be NULL if all inputs have their own.
 */
tfm_status outputs_generate(tfm_session *session, const tfm_input *inputs, size_t n, const tfm_generate_params *params,
                            outputs **result, tfm_error *error);
/* The same, but an input that was not run is no failure: its error is kept. */
tfm_status outputs_generate_some(tfm_session *session, const tfm_input *inputs, size_t n,
                                 const tfm_generate_params *params, outputs **result, tfm_error *error);
/* One call of tfm_generate for each input. */
tfm_status outputs_generate_singly(tfm_session *session, const tfm_input *inputs, size_t n,
                                   const tfm_generate_params *params, outputs **result, tfm_error *error);
void outputs_free(outputs **result);

const output *outputs_at(const outputs *o, size_t input, size_t hypothesis);
/* The same ids, flags and numbers, bit for bit, and every input reported once. */
bool outputs_same(const outputs *a, const outputs *b);
/* XXH3-64 of ids, flags, sums and scores of all. */
uint64_t outputs_hash(const outputs *o);

#endif
