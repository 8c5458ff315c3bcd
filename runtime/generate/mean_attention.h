/*
 * mean_attention.h - the cross-attention of the newest token of every sequence in a step, mean over heads and layers,
 * or over those that are chosen: what tfm_hypothesis.attention is made of.
 */
#ifndef TFM_RUNTIME_GENERATE_MEAN_ATTENTION_H
#define TFM_RUNTIME_GENERATE_MEAN_ATTENTION_H

#include "runtime/exec/session.h"

typedef struct tfm_mean_attention {
    tfm_session *session;               /* NULL: not open */
    float *rows;                        /* (max_sequences, max_source) by sequence */
    float *heads;                       /* (max_source) scratch: of one layer */
    const tfm_generate_params **params; /* (max_sequences) who chooses a sequence's heads; NULL: all of them count */
} tfm_mean_attention;

tfm_status tfm_mean_attention_open(tfm_mean_attention *mean, tfm_session *session, tfm_error *error);
/* Accepts one that is not open. */
void tfm_mean_attention_close(tfm_mean_attention *mean);

/* Whose attention_heads count for a sequence, until it is said anew; params must stay. */
void tfm_mean_attention_choose(tfm_mean_attention *mean, int32_t sequence, const tfm_generate_params *params);

/* Steps between the two are listened to. */
void tfm_mean_attention_start(tfm_mean_attention *mean);
void tfm_mean_attention_stop(tfm_mean_attention *mean);

/* The weights (n_source) of a sequence's newest token, from the last step that was listened to. */
const float *tfm_mean_attention_row(const tfm_mean_attention *mean, int32_t sequence);

#endif
