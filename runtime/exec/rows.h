/*
 * rows.h - what is done to every row of hidden states by itself: embeddings, norms, sums.
 */
#ifndef TFM_RUNTIME_EXEC_ROWS_H
#define TFM_RUNTIME_EXEC_ROWS_H

#include "session.h"

/*
 * session->x (n_tokens, d_model) = embeddings of a batch's tokens, with those of positions and token types, normed and
 * brought to the layers' width where the stack does so. Overwrites session->h.
 */
void tfm_embed_batch(tfm_session *session, const tfm_stack *stack, tfm_ragged_batch *batch);

/* y (m, norm->n) = norm of x, of a stack's kind; y may be x. */
void tfm_apply_norm(tfm_session *session, const tfm_stack_options *options, const tfm_norm *norm, const float *x,
                    size_t m, float *y);

/* y (m, d_model) += x. Where no product's epilogue can carry the addition. */
void tfm_add_rows(tfm_session *session, float *y, const float *x, size_t m);

/* x = cap tanh(x / cap), n elements. */
void tfm_apply_soft_cap(tfm_session *session, float *x, size_t n, float cap);

#endif
