/*
 * session.h - the state of running a model: activations, caches, sequences.
 *
 * What lasts between steps is the tokens of sources and sequences: their slots, and the pages of keys and values that
 * the slots list. All other buffers belong to the pass that runs.
 */
#ifndef TFM_RUNTIME_EXEC_SESSION_H
#define TFM_RUNTIME_EXEC_SESSION_H

#include <stdatomic.h>

#include "kv_cache.h"
#include "positions.h"
#include "ragged_batch.h"
#include "runtime/model/model.h"
#include "runtime/os/pool.h"
#include "runtime/tfm.h"

/*
 * What a stack's layers keep from pass to pass. Attention keeps keys and values, which grow; a layer whose state has a
 * fixed size would keep it here too, one for each sequence, and sequences.c says what forking and truncating do to it.
 */
typedef struct tfm_stack_state {
    tfm_kv_cache kv; /* an encoder's holds one layer at a time, and only during a pass */
    tfm_rope_cache rope;
    tfm_position_bias bias;
} tfm_stack_state;

typedef struct tfm_source_slot {
    bool used;
    uint32_t n;      /* tokens */
    uint32_t *pages; /* of the cross cache, tfm_kv_pages(n) of them */
} tfm_source_slot;

typedef struct tfm_sequence_slot {
    bool used;
    int32_t source;
    uint32_t length;
    uint32_t *pages; /* of the decoder's cache, tfm_kv_pages(length) of them */
    uint64_t step;   /* the last one it was in */
} tfm_sequence_slot;

/* Those who may listen to attention weights at the same time. */
typedef enum tfm_tap_owner { TFM_TAP_OF_CALLER, TFM_TAP_OF_GENERATE, TFM_TAP_OWNERS } tfm_tap_owner;

typedef struct tfm_attention_taps {
    unsigned kinds;                        /* of all taps together; 0: nobody listens */
    tfm_attention_tap tap[TFM_TAP_OWNERS]; /* kinds 0: not set */
    float *weights;                        /* (capacity) of the event that is handed out */
    size_t capacity;
} tfm_attention_taps;

struct tfm_session {
    tfm_model *model;
    tfm_pool *pool;
    tfm_session_params params; /* with zeros replaced */
    atomic_bool cancel_requested;
    tfm_attention_taps taps;
    void *memory; /* everything below, one mapping */
    size_t memory_bytes;

    /* What lasts. */
    tfm_source_slot *sources;     /* (max_sources), NULL without an encoder */
    tfm_sequence_slot *sequences; /* (max_sequences), NULL without a decoder */
    uint64_t n_steps;             /* of the decoder, so far */
    tfm_stack_state encoder, decoder;
    tfm_kv_cache cross_kv;   /* keys and values of the decoder's layers over sources */
    uint32_t *encoder_pages; /* 0, 1, 2, ...: every pass of the encoder begins a cache anew */

    /* Of one pass; T = max_batch_tokens. */
    tfm_ragged_batch batch;
    uint32_t *last_rows;     /* (runs) the row of each run's last token */
    float *x;                /* (T, d_model) the residual stream */
    float *h;                /* (T, widest of d_model and embeddings) normed input of a sublayer; then rows to logits */
    float *qkv;              /* (T, widest of query+key+value and cross key+value) */
    float *context;          /* (T, n_heads * head_dim) output of attention */
    float *up, *gate;        /* (T, d_ff) */
    tfm_quantized quantized; /* (T, widest input of a product) where weights are int8 or int4 */
    char *scratch;           /* attention, scratch_bytes for each thread */
    size_t scratch_bytes;

    /* After the last layer. */
    float *head;   /* (T, d_model) states on their way through an encoder's head, NULL without an encoder-only model */
    float *logits; /* (logits_rows, widest row of logits or scores) */
    size_t logits_rows; /* decoders: max_sequences */
};

/* Whether id is a token of a vocabulary of that size. */
static inline bool tfm_id_valid(int32_t id, uint32_t vocab_size) { return id >= 0 && (uint32_t)id < vocab_size; }

/* Query rows that one item of attention work holds. */
#define TFM_QUERY_TILE 64

/* TFM_ERROR_CANCELLED if tfm_session_cancel asked for it; that takes the request. */
tfm_status tfm_session_take_cancel(tfm_session *session, tfm_error *error);

#endif
