/*
 * request.h - one input on its way through generation: what is asked, what its search has chosen, and what it holds of
 * the session.
 *
 * A request that does not run holds nothing of the session. It enters a batch (decode_batch.h) between any two steps,
 * may leave it between any two, and enter again: what it had computed is computed anew then, with the same bits.
 */
#ifndef TFM_RUNTIME_GENERATE_REQUEST_H
#define TFM_RUNTIME_GENERATE_REQUEST_H

#include "runtime/exec/session.h"
#include "search.h"

typedef struct tfm_request {
    /* What is asked. */
    const tfm_input *input; /* the caller's, until the request has finished */
    tfm_generate_params params;
    const tfm_generate_callbacks *callbacks; /* on_token and on_logits, called with the index */
    size_t index;
    size_t output_start; /* tokens before the output: the start token, or a decoder's input */
    size_t max_length;   /* of those and the output */

    /* What has been found. */
    tfm_search search;
    tfm_status status; /* other than TFM_OK: it cannot go on, error says why */
    tfm_error error;

    /* What it holds while it runs; the sequences are in search.beams. */
    int32_t source;     /* -1: none */
    int32_t *ids;       /* (width, max_length) the tokens of its beams on their way into the decoder */
    int32_t first_node; /* that this step made */
    uint32_t *allowed;  /* (n_allowed) tokens it may choose from, if params.shortlist */
    size_t n_allowed;

    void *memory; /* of all lists */
    size_t memory_bytes;
} tfm_request;

/*
 * Makes a request of an input: checks that it can run in this session, and lays out its search. params: those of the
 * call, checked by tfm_generate_params_check, for an input without its own. *request is all zero, or one that has
 * finished, whose memory serves again. Errors: TFM_ERROR_MEMORY; every other one is the input's own.
 */
tfm_status tfm_request_start(tfm_request *request, const tfm_session *session, const tfm_input *input,
                             const tfm_generate_params *params, tfm_error *error);
void tfm_request_free(tfm_request *request);

/* Sequences of the session it may need. */
static inline uint32_t tfm_request_width(const tfm_request *request) { return request->search.n_beams; }

#endif
