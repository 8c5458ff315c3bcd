/*
 * step.h - a step: tokens of any sequences go in, their last hidden states come out, and logits of the rows the caller
 * asks for.
 *
 * This is the door for whoever decides what runs when: tfm_generate, tfm_score, and what may come beside them. A step
 * knows no requests; what it leaves behind are longer sequences and a result that lives until the session's next step.
 * Since a row's bits do not depend on its neighbours, any grouping of tokens into steps gives the same results.
 */
#ifndef TFM_RUNTIME_EXEC_STEP_H
#define TFM_RUNTIME_EXEC_STEP_H

#include "session.h"

/* All of it lies in the session and is overwritten by its next step. */
typedef struct tfm_step_result {
    const float *states; /* (n_tokens, d_model) after the last layer, the tokens of all runs one after the other */
    size_t n_tokens;
    const uint32_t *last_rows; /* (n_runs) the row of the last token of each input or span */
    size_t n_runs;
    float *logits; /* room for logits of at most logits_rows rows, for a caller that has none of its own */
    size_t logits_rows;
} tfm_step_result;

/* tfm_encode with its result: a run for each input. */
tfm_status tfm_encode_step(tfm_session *session, const tfm_tokens *inputs, size_t n_inputs, int32_t *sources,
                           tfm_step_result *result, tfm_error *error);

/*
 * Appends the tokens of every span to its sequence: a run for each span. What tfm_decode would write (logits, states,
 * all_logits of a span) is not looked at. result may be NULL.
 */
tfm_status tfm_decode_step(tfm_session *session, const tfm_span *spans, size_t n_spans, tfm_step_result *result,
                           tfm_error *error);

/*
 * logits (n, output->w.n) of n rows of a result (n <= logits_rows), in one product: over the whole vocabulary
 * (model->output), or some columns of it.
 */
tfm_status tfm_project_rows(tfm_session *session, const tfm_step_result *result, const uint32_t *rows, size_t n,
                            const tfm_linear *output, float *logits, tfm_error *error);

#endif
