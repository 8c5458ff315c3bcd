/*
 * legacy_tokenizer_files.h - tokenizers in files older than tokenizer.json, brought into its form as transformers does
 * it: vocab.txt (BERT), vocab.json with merges.txt (GPT-2, Qwen2, RoBERTa, ...).
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_LEGACY_TOKENIZER_FILES_H
#define TFM_TOOLS_PACK_TOKENIZER_LEGACY_TOKENIZER_FILES_H

#include "tools/pack/tokenizer/settings/tokenizer_files.h"

/* Whether a folder has such files. */
bool tfm_legacy_tokenizer_is_in(const char *folder);
/*
 * *root is what tokenizer.json would hold; the caller's to decref. A class of files, if there is one, must be one made
 * of such files. Errors: TFM_ERROR_IO, _FORMAT, _UNSUPPORTED (no class says how words are found), _MEMORY.
 */
tfm_status tfm_legacy_tokenizer_read(const tfm_tokenizer_files *files, json_t **root);

#endif
