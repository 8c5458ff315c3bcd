/*
 * attention_tap.h - who listens to attention weights: the caller (tfm_session_tap_attention), and the library itself.
 *
 * While nobody listens, attention costs one test a layer more. Weights are computed once for all who listen, after the
 * attention itself and from the same queries and keys.
 */
#ifndef TFM_RUNTIME_EXEC_ATTENTION_TAP_H
#define TFM_RUNTIME_EXEC_ATTENTION_TAP_H

#include "attention_pass.h"

/* Sets one of the session's taps, copied, or ends it (NULL). */
void tfm_attention_tap_set(tfm_session *session, tfm_tap_owner owner, const tfm_attention_tap *tap);
/* Gives the memory of weights back if nobody listens. */
void tfm_attention_tap_trim(tfm_session *session);

/*
 * Hands the weights of an attention that has just run to those who listen, run by run. layer: of the stack. Errors:
 * TFM_ERROR_MEMORY, TFM_ERROR_CANCELLED (one of them asked to stop).
 */
tfm_status tfm_attention_emit(const tfm_attention_pass *pass, tfm_attention_kind kind, uint32_t layer,
                              tfm_error *error);

#endif
