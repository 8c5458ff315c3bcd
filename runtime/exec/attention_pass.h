/*
 * attention_pass.h - attention of a batch's queries over the caches, run by run.
 */
#ifndef TFM_RUNTIME_EXEC_ATTENTION_PASS_H
#define TFM_RUNTIME_EXEC_ATTENTION_PASS_H

#include "session.h"

/* Attention of one layer: over a run's own positions, or (cross) over those of its source. */
typedef struct tfm_attention_pass {
    tfm_session *session;
    const tfm_ragged_batch *batch;
    const tfm_stack_options *options;
    const tfm_kv_cache *cache;
    size_t layer; /* of the cache */
    bool cross, causal;
    size_t window;                 /* 0: none */
    const tfm_position_bias *bias; /* NULL: none */
    size_t query_stride;           /* floats between rows of session->qkv */
    const float *key, *value;      /* where the first row's keys and values lie, for storing */
} tfm_attention_pass;

/* Writes the keys and values of all rows into the pages of their runs, for which there must be room (tfm_kv_extend). */
void tfm_attention_store(const tfm_attention_pass *pass);

/*
 * session->context (n_tokens, n_heads * head_dim) = attention of the queries in session->qkv. Self-attention stores the
 * rows' keys and values first.
 */
void tfm_attention_run(const tfm_attention_pass *pass);

/*
 * What the kernels take for query rows [first, first + n) of a run, in n_heads heads from `head` on, which share keys
 * and values. out and scratch are the caller's to set.
 */
tfm_attention_args tfm_attention_args_of(const tfm_attention_pass *pass, const tfm_run *run, size_t head,
                                         size_t n_heads, size_t first, size_t n);

#endif
