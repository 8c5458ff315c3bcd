/*
 * generate_params.h - whether a request to generate makes sense for a model and a session.
 */
#ifndef TFM_RUNTIME_GENERATE_GENERATE_PARAMS_H
#define TFM_RUNTIME_GENERATE_GENERATE_PARAMS_H

#include "runtime/exec/session.h"

/* Most entries of tfm_hypothesis.top_ids for a token. */
#define TFM_TOP_LOG_PROBS_MAX 64

/* The token before the first one of a decoder with an encoder; -1 where nothing names one. */
static inline int32_t tfm_start_token(const tfm_generate_params *params) {
    return params->decoder_start_token_id >= 0 ? params->decoder_start_token_id : params->bos_token_id;
}

/* How many hypotheses beam search keeps, and has before it may end. Its parameters have been checked. */
uint32_t tfm_hypotheses_kept(const tfm_generate_params *params);

/*
 * Whether a minimum length that the request sets is more than the longest output (max_length tokens, or max_new_tokens
 * new ones). A minimum that is the model file's own is left as transformers has it: the output ends at its longest.
 */
tfm_status tfm_check_minimum_lengths(const tfm_model *model, const tfm_generate_params *params, size_t max_length,
                                     size_t max_new_tokens, tfm_error *error);

/* Checks everything that does not depend on an input. */
tfm_status tfm_generate_params_check(const tfm_session *session, const tfm_generate_params *params, tfm_error *error);

#endif
