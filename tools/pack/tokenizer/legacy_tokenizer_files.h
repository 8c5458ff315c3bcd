/*
 * legacy_tokenizer_files.h - tokenizers in files older than tokenizer.json, brought into its form as transformers does
 * it: vocab.txt (BERT), vocab.json with merges.txt (GPT-2, Qwen2, RoBERTa, ...).
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_LEGACY_TOKENIZER_FILES_H
#define TFM_TOOLS_PACK_TOKENIZER_LEGACY_TOKENIZER_FILES_H

#include <jansson.h>
#include <stdbool.h>

#include "format/tfm_error.h"

/* Whether a folder has such files. */
bool tfm_legacy_tokenizer_is_in(const char *folder);
/* *root is what tokenizer.json would hold. Errors: TFM_ERROR_IO, _FORMAT, _UNSUPPORTED, _MEMORY. */
tfm_status tfm_legacy_tokenizer_read(const char *folder, json_t **root, tfm_error *error);

#endif
