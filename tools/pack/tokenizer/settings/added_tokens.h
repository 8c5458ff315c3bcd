/*
 * added_tokens.h - tokens that the configuration adds to a vocabulary, or makes special: added_tokens_decoder, roles
 * and lists of tokenizer_config.json, special_tokens_map.json, added_tokens.json.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_SETTINGS_ADDED_TOKENS_H
#define TFM_TOOLS_PACK_TOKENIZER_SETTINGS_ADDED_TOKENS_H

#include "tokenizer_files.h"

/*
 * Brings `list`, the added_tokens of a tokenizer.json, to what transformers makes of it. ids: {"spelling": id} of the
 * model's vocabulary. A token that has no id yet gets the next one. Errors: TFM_ERROR_FORMAT, _MEMORY.
 */
tfm_status tfm_added_tokens_take(const tfm_tokenizer_files *files, const json_t *ids, json_t *list);

/* The id of a spelling in the vocabulary or among the added tokens, or -1. */
json_int_t tfm_added_tokens_find(const json_t *ids, const json_t *list, const char *text);

/* {"spelling": id} of the vocabulary of tokenizer.json's model, an object or a list; NULL: memory is out. */
json_t *tfm_vocabulary_ids(const json_t *vocabulary);

/* Whether the configuration has tokens for which `is_known` is false. */
bool tfm_added_tokens_any(const tfm_tokenizer_files *files, bool (*is_known)(const void *user, const char *text),
                          const void *user);

#endif
