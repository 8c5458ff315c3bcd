/*
 * char_vocabulary.h - vocabularies of single characters that stand in config.json, as models from spelling to sound
 * have them.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_CHAR_VOCABULARY_H
#define TFM_TOOLS_PACK_TOKENIZER_CHAR_VOCABULARY_H

#include <jansson.h>

#include "format/tfm_error.h"

/*
 * config.json's `grapheme_chars` (inputs) and `phoneme_chars` (outputs): a token's id is its character's place. The
 * places of pad_token_id, bos_token_id, eos_token_id and the first "_" that is none of these, the unknown character,
 * hold fillers. Inputs stand between bos and eos. *source and *target are what tokenizer.json would hold; NULL if
 * config.json has no such keys or cannot be read. Errors: TFM_ERROR_FORMAT, TFM_ERROR_MEMORY.
 */
tfm_status tfm_char_vocabulary_read(const char *folder, json_t **source, json_t **target, tfm_error *error);

#endif
