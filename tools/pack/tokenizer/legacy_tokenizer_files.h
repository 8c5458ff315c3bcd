/*
 * legacy_tokenizer_files.h - tokenizers in files older than tokenizer.json, brought into its form as transformers does
 * it: vocab.txt (BERT), vocab.json with merges.txt (GPT-2, Qwen2, RoBERTa, ...).
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_LEGACY_TOKENIZER_FILES_H
#define TFM_TOOLS_PACK_TOKENIZER_LEGACY_TOKENIZER_FILES_H

#include <jansson.h>

#include "runtime/tfm.h"

/* Whether a folder has such files. */
bool tfm_slow_files_there(const char *folder);
/* *root is what tokenizer.json would hold. Errors: TFM_ERROR_IO, _FORMAT, _UNSUPPORTED, _MEMORY. */
tfm_status tfm_slow_files_read(const char *folder, json_t **root, tfm_error *error);
/* A JSON file. */
tfm_status tfm_slow_files_load(const char *path, json_t **root, tfm_error *error);

#endif
