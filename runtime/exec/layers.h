/*
 * layers.h - one layer of a stack over a batch: attention, cross-attention, feed-forward, and the norms around them.
 */
#ifndef TFM_RUNTIME_EXEC_LAYERS_H
#define TFM_RUNTIME_EXEC_LAYERS_H

#include "session.h"

/* A stack's way through a batch; the residual stream is session->x (n_tokens, d_model). */
typedef struct tfm_pass {
    tfm_session *session;
    const tfm_stack *stack;
    const tfm_stack_state *state;
    const tfm_ragged_batch *batch;
    bool causal;
} tfm_pass;

/*
 * Layer number `index` of the stack: reads the residual stream and adds to it. The only errors are those of taps of
 * attention (attention_tap.h).
 */
tfm_status tfm_run_layer(const tfm_pass *pass, uint32_t index, tfm_error *error);

#endif
