/*
 * generate.h - tfm_generate for those who know more than token ids.
 */
#ifndef TFM_RUNTIME_GENERATE_GENERATE_H
#define TFM_RUNTIME_GENERATE_GENERATE_H

#include "runtime/tfm.h"

/* tfm_generate, but stop strings are not refused: the caller looks for them and ends outputs. */
tfm_status tfm_generate_inputs(tfm_session *session, const tfm_input *inputs, size_t n,
                               const tfm_generate_params *params, const tfm_generate_callbacks *callbacks,
                               tfm_error *error);

#endif
