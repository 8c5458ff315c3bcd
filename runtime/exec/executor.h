/*
 * executor.h - passes of a batch over the layers of a stack, and what comes before and after them. Every kind of model
 * runs through tfm_forward.
 *
 * Errors of all: those of verifying weights at their first use, TFM_ERROR_CANCELLED, TFM_ERROR_CHANGED.
 */
#ifndef TFM_RUNTIME_EXEC_EXECUTOR_H
#define TFM_RUNTIME_EXEC_EXECUTOR_H

#include "session.h"

/*
 * Runs a stack over a batch; the result is in session->x (n_tokens, d_model). The caches must have room for the runs
 * (tfm_kv_extend).
 */
tfm_status tfm_forward(tfm_session *session, tfm_stack *stack, tfm_ragged_batch *batch, tfm_error *error);

/*
 * Keys and values of every decoder layer from the encoder's states in session->x, which stay, into the runs' cross
 * pages.
 */
tfm_status tfm_forward_cross(tfm_session *session, const tfm_ragged_batch *batch, tfm_error *error);

/*
 * logits (m, output->w.n) of states (m, d_model), scaled and capped: output is that of the model, or some columns of
 * it.
 */
tfm_status tfm_project(tfm_session *session, const tfm_linear *output, const float *states, size_t m, float *logits,
                       tfm_error *error);

#endif
