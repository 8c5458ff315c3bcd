/*
 * session.h - the state of running a model: activations, caches, sequences.
 */
#ifndef TFM_RUNTIME_EXEC_SESSION_H
#define TFM_RUNTIME_EXEC_SESSION_H

#include <stdatomic.h>

#include "kv_cache.h"
#include "runtime/model/model.h"
#include "runtime/os/pool.h"
#include "positions.h"
#include "runtime/tfm.h"

/* One sequence's part of a ragged batch: n rows from row on, at positions past, past + 1, ... */
typedef struct tfm_run {
    size_t row, n, past;
    const uint32_t *pages;       /* self-attention */
    const uint32_t *cross_pages; /* cross-attention, over n_source positions */
    size_t n_source;
    int32_t sequence;
} tfm_run;

typedef struct tfm_source_slot {
    bool used;
    uint32_t n;      /* tokens */
    uint32_t *pages; /* of the cross cache, tfm_kv_pages(n) of them */
} tfm_source_slot;

typedef struct tfm_sequence_slot {
    bool used;
    int32_t source;
    uint32_t length;
    uint32_t *pages; /* of the self cache */
} tfm_sequence_slot;

struct tfm_session {
    tfm_model *model;
    tfm_pool *pool;
    tfm_session_params params; /* with zeros replaced */
    atomic_bool cancelled;
    void *memory; /* everything below, one mapping */
    size_t memory_bytes;

    /* Activations of one pass; T = max_batch_tokens. */
    float *x;                /* (T, d_model) the residual stream */
    float *h;                /* (T, d_model) normed input of a sublayer, where norms come first */
    float *qkv;              /* (T, widest of query+key+value and cross key+value) */
    float *context;          /* (T, n_heads * head_dim) output of attention */
    float *up, *gate;        /* (T, d_ff) */
    tfm_quantized quantized; /* (T, widest input of a product) where weights are int8 or int4 */
    float *last;             /* (max_sequences, d_model) states that go to the vocabulary projection; encoders: (T, ) */
    float *logits;           /* (max_sequences, vocab); encoders: (TFM_SCORE_ROWS, n_outputs) */
    uint32_t *positions;     /* (T) */
    int32_t *ids;            /* (T) */
    uint32_t *token_types;   /* (T) or NULL: the model has none */
    char *scratch;           /* attention, scratch_bytes for each thread */
    size_t scratch_bytes;
    tfm_run *runs; /* (larger of max_sources and max_sequences) */

    tfm_kv_cache encoder_kv; /* one layer at a time */
    uint32_t *encoder_pages; /* 0, 1, 2, ... */
    tfm_kv_cache cross_kv, self_kv;
    tfm_rope_cache encoder_rotations, decoder_rotations;
    tfm_position_bias encoder_biases, decoder_biases;
    tfm_source_slot *sources;
    tfm_sequence_slot *sequences;

    float *kept_attention; /* (max_sequences, decoder layers, max_source) or NULL; see tfm_session_keep_attention */
    float *kept_row;       /* (max_source) scratch */
};

/* Whether id is a token of a vocabulary of that size. */
static inline bool tfm_id_valid(int32_t id, uint32_t vocab_size) { return id >= 0 && (uint32_t)id < vocab_size; }

/* Rows of scores that an encoder's head computes at once. */
#define TFM_SCORE_ROWS 128

/* Query rows that one item of attention work holds. */
#define TFM_QUERY_TILE 64

/* ---- executor.c ---- */

/*
 * Runs a stack over session->ids[0 .. n_tokens) in the runs given; the result is in session->x (n_tokens, d_model).
 * The caches must have room (tfm_kv_extend).
 */
tfm_status tfm_forward(tfm_session *session, tfm_stack *stack, const tfm_run *runs, size_t n_runs, size_t n_tokens,
                       tfm_error *error);
/* Keys and values of every decoder layer from the encoder's states in session->x, into the runs' cross pages. */
tfm_status tfm_forward_cross(tfm_session *session, const tfm_run *runs, size_t n_runs, size_t n_tokens,
                             tfm_error *error);
/* y (m, n) = act(x (m, k) through a linear layer). */
void tfm_apply_linear(tfm_session *session, const tfm_linear *linear, const float *x, size_t m, tfm_activation act,
                      float *y);
/* y (m, d_model) = norm of x by a stack's kind; y may be x. */
void tfm_apply_norm(tfm_session *session, const tfm_stack *stack, const tfm_norm *norm, const float *x, size_t m,
                    float *y);
/*
 * logits (m, n) of states (m, d_model), scaled and capped: of the whole vocabulary, or of the columns of it that
 * `output` has.
 */
tfm_status tfm_project(tfm_session *session, const tfm_linear *output, const float *states, size_t m, float *logits,
                       tfm_error *error);

/* TFM_ERROR_CANCELLED after tfm_session_cancel. */
tfm_status tfm_session_check(const tfm_session *session, tfm_error *error);

/* ---- decode.c ---- */

/* tfm_encode, but a cancellation that was asked for before the call counts. */
tfm_status tfm_encode_step(tfm_session *session, const tfm_tokens *inputs, size_t n_sources, int32_t *sources,
                           float *const *states, tfm_error *error);

/*
 * tfm_decode, likewise; and with `keep` set the states of every span's last token are left in session->last, row i for
 * span i. The states of all tokens are left in session->x.
 */
tfm_status tfm_decode_step(tfm_session *session, const tfm_span *spans, size_t n_spans, bool keep, tfm_error *error);

/* Whether that is the number of a sequence. */
bool tfm_sequence_used(const tfm_session *session, int32_t sequence);

/* Places that are not in use. */
size_t tfm_free_sources(const tfm_session *session);
size_t tfm_free_sequences(const tfm_session *session);

#endif
