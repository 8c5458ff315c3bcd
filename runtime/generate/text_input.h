/*
 * text_input.h - texts and conversations as token ids.
 */
#ifndef TFM_RUNTIME_GENERATE_TEXT_INPUT_H
#define TFM_RUNTIME_GENERATE_TEXT_INPUT_H

#include "runtime/tfm.h"

/*
 * Appends the ids of an input, as the model wants it, to *ids, and those of its prefix to *prefix. Of params count the
 * languages, and bos_token_id, the token a decoder goes on with where there is nothing else. After an error the lists
 * are as they were. Errors: those of tfm_tokenize and tfm_chat_render; TFM_ERROR_ARGUMENT (neither a text nor a
 * conversation, or an empty one).
 */
tfm_status tfm_text_input_tokenize(const tfm_model *model, const tfm_text_input *input,
                                   const tfm_generate_params *params, tfm_ids *ids, tfm_ids *prefix, tfm_error *error);

#endif
