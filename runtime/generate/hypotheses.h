/*
 * hypotheses.h - what a finished search found, as tfm.h shows it.
 */
#ifndef TFM_RUNTIME_GENERATE_HYPOTHESES_H
#define TFM_RUNTIME_GENERATE_HYPOTHESES_H

#include "request.h"

/* The hypotheses of one request at a time. Starts all zero. */
typedef struct tfm_hypotheses {
    const tfm_hypothesis **list; /* (n) best first; samples in the order of their number */
    size_t n;
    void *memory;
    size_t memory_bytes;
} tfm_hypotheses;

/* Makes room for the hypotheses of a request that was started, so that writing them cannot fail. */
tfm_status tfm_hypotheses_reserve(tfm_hypotheses *hypotheses, const tfm_request *request, tfm_error *error);
/* Writes those of a request that is done, over those that were there. max_source: of the session. */
void tfm_hypotheses_write(tfm_hypotheses *hypotheses, tfm_request *request, size_t max_source);
void tfm_hypotheses_free(tfm_hypotheses *hypotheses);

#endif
