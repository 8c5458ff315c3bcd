/*
 * decode_batch.h - the running batch: requests that are decoded together, one token of each output a step.
 *
 * This is the door for whoever decides what runs when: tfm_generate, and schedulers that may come beside it. Requests
 * enter and leave between any two steps. Because no result depends on what else is in the batch, all such decisions are
 * a matter of speed alone.
 *
 * A step, in the order of the files: request.c checks and lays out, admission.c lets in and feeds prompts, token_step.c
 * chooses tokens, hypotheses.c hands out what has finished.
 */
#ifndef TFM_RUNTIME_GENERATE_DECODE_BATCH_H
#define TFM_RUNTIME_GENERATE_DECODE_BATCH_H

#include "mean_attention.h"
#include "request.h"
#include "vocab_subset.h"

typedef struct tfm_decode_batch {
    tfm_session *session;
    tfm_request **running; /* (n_running) in the order they entered */
    size_t n_running;
    tfm_request **finished; /* (n_finished) those that the last step finished; they hold nothing any more */
    size_t n_finished;

    /* Room for a step; R = max_sequences. */
    tfm_span *spans;      /* (R) */
    tfm_tokens *inputs;   /* (R) on their way into the encoder */
    int32_t *sources;     /* (R) */
    uint32_t *n_children; /* (R) beams that go on from a beam */
    void *memory;

    tfm_sampler *samplers;           /* (threads), from the first request on that draws tokens */
    tfm_vocab_subset subset;         /* of the vocabulary, from the first request on with a shortlist */
    bool has_subset, subset_current; /* subset_current: it is that of the requests that run */
    void *sampler_memory, *subset_memory;

    tfm_mean_attention mean; /* open from the first request on that keeps attention */
    float *logits;           /* (rows, vocab_size) of the step */
} tfm_decode_batch;

/* An empty batch. Errors: TFM_ERROR_MEMORY. Nothing is allocated by a step, only where the first of its kind enters. */
tfm_status tfm_decode_batch_create(tfm_decode_batch *batch, tfm_session *session, tfm_error *error);
/* What runs is removed. */
void tfm_decode_batch_free(tfm_decode_batch *batch);

/* What of the session is not promised to requests that run. */
size_t tfm_decode_batch_free_sequences(const tfm_decode_batch *batch);

/* ---- admission.c ---- */

/*
 * Lets n requests in: encodes their inputs in one pass (together at most max_batch_tokens, unless it is one), starts
 * their sequences and feeds them all tokens but the last, which is the first that the next step feeds. There must be
 * room: free sources, and free sequences for the sum of their widths. After an error none of them has entered.
 */
tfm_status tfm_decode_batch_admit(tfm_decode_batch *batch, tfm_request *const *requests, size_t n, tfm_error *error);

/* Takes a request out that can enter again and go on as if nothing had been; what it holds is given back. */
void tfm_decode_batch_preempt(tfm_decode_batch *batch, tfm_request *request);

/*
 * Takes a request out for good. The sequence of a conversation stays, without what was generated unless the request has
 * finished.
 */
void tfm_decode_batch_remove(tfm_decode_batch *batch, tfm_request *request);

/* ---- token_step.c ---- */

/*
 * One token for every output that runs. Requests that have all their tokens, or cannot go on (their status says so),
 * have left the batch then and are listed in `finished`. Errors: TFM_ERROR_CANCELLED, TFM_ERROR_CHANGED; they are of
 * the whole batch.
 */
tfm_status tfm_decode_batch_step(tfm_decode_batch *batch, tfm_error *error);

#endif
