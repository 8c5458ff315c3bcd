/*
 * logits_processors.h - what generate() of transformers does to scores before a token is chosen.
 */
#ifndef TFM_RUNTIME_GENERATE_LOGITS_PROCESSORS_H
#define TFM_RUNTIME_GENERATE_LOGITS_PROCESSORS_H

#include "runtime/tfm.h"
#include "simd/kernels.h"

/* The tokens a sequence has so far, as processors see them: start token or prompt first. */
typedef struct tfm_history {
    const int32_t *ids;
    size_t n;
    size_t prompt_length; /* tokens that were given, not generated */
    size_t max_length;
} tfm_history;

/* Whether any processor looks at the ids of the history (else only its lengths matter). */
bool tfm_processors_need_ids(const tfm_generate_params *params);

/*
 * Applies, in the order of transformers 4.46: biases, repetition penalty (Keskar et al. 2019, CTRL, section 4.1),
 * presence and frequency penalties of the tokens after the prompt, n-gram blocking (Paulus et al. 2017, section 2.5),
 * bad words, minimum length, minimum of new tokens, forced first and last token, suppressed tokens, renormalisation.
 * scores: one row (vocab_size), in place. scratch: history->n floats.
 */
void tfm_process_scores(const tfm_generate_params *params, const tfm_history *history, const tfm_kernels *kernels,
                        float *scores, size_t vocab_size, float *scratch);

#endif
