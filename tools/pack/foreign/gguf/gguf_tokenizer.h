/*
 * gguf_tokenizer.h - the vocabulary inside a GGUF file, as a tokenizer of a model file.
 */
#ifndef TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_TOKENIZER_H
#define TFM_TOOLS_PACK_FOREIGN_GGUF_GGUF_TOKENIZER_H

#include <jansson.h>

#include "gguf_file.h"
#include "tools/pack/checkpoint/checkpoint.h"

/*
 * What tokenizer.json would hold in *root, NULL where the file has no tokenizer. Errors: TFM_ERROR_FORMAT, _UNSUPPORTED
 * (a kind of tokenizer, or a way of finding words, named), _LIMIT, _MEMORY.
 */
tfm_status tfm_gguf_tokenizer(const tfm_gguf *gguf, json_t **root, tfm_error *error);

/* Writes it as section tokenizer. */
tfm_status tfm_gguf_write_tokenizer(const tfm_gguf *gguf, tfm_writer *writer, tfm_error *error);

/* What generation_config.json would hold; NULL: no memory. */
json_t *tfm_gguf_generation(const tfm_gguf *gguf);

/* What a person should know of the tokenizer and the file does not say, or NULL. */
const char *tfm_gguf_tokenizer_note(const tfm_gguf *gguf);

/* Texts of special tokens in memory of the caller's, as far as the file names them; false: no memory. */
bool tfm_gguf_special_tokens(const tfm_gguf *gguf, char *texts[TFM_TOKEN_ROLES]);

#endif
