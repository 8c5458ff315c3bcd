/*
 * tokenizer_flags.h - what tokenizer_config.json says about a tokenizer.json beside it: transformers changes the
 * tokenizer so when it opens it.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_SETTINGS_TOKENIZER_FLAGS_H
#define TFM_TOOLS_PACK_TOKENIZER_SETTINGS_TOKENIZER_FLAGS_H

#include "tokenizer_files.h"

/*
 * Changes root, a tokenizer.json: added tokens; add_bos_token and add_eos_token of classes that count them;
 * add_prefix_space; do_lower_case, strip_accents and tokenize_chinese_chars; the source language. Flags that are not
 * there leave it as it is. Errors: TFM_ERROR_FORMAT, _UNSUPPORTED, _MEMORY.
 */
tfm_status tfm_tokenizer_flags_take(const tfm_tokenizer_files *files, json_t *root);

/* A post_processor that puts tokens around a text. NULL: none there. A pair is both texts, or, with `twice`, each in
 * its own tokens. NULL: memory is out. */
typedef struct tfm_frame {
    const char *before, *after[2];
    json_int_t before_id, after_ids[2];
} tfm_frame;
json_t *tfm_frame_template(const tfm_frame *frame, bool twice);

#endif
