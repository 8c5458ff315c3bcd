/*
 * generate_params.h - whether a request to generate makes sense for a model and a session.
 */
#ifndef TFM_RUNTIME_GENERATE_GENERATE_PARAMS_H
#define TFM_RUNTIME_GENERATE_GENERATE_PARAMS_H

#include "runtime/exec/session.h"

/* Most entries of tfm_hypothesis.top_ids for a token. */
#define TFM_TOP_LOG_PROBS_MAX 64

/* Checks everything that does not depend on an input. */
tfm_status tfm_generate_params_check(const tfm_session *session, const tfm_generate_params *params, tfm_error *error);

#endif
