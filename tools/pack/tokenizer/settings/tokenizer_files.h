/*
 * tokenizer_files.h - the configuration of a folder's tokenizer: the JSON files beside the vocabulary, and the class of
 * transformers that they name.
 */
#ifndef TFM_TOOLS_PACK_TOKENIZER_SETTINGS_TOKENIZER_FILES_H
#define TFM_TOOLS_PACK_TOKENIZER_SETTINGS_TOKENIZER_FILES_H

#include <jansson.h>

#include "tokenizer_class.h"
#include "tools/pack/common/pack_options.h"
#include "tools/pack/config/keys.h"

typedef struct tfm_tokenizer_files {
    const char *folder;
    json_t *config;   /* config.json, or NULL, as the others */
    json_t *settings; /* tokenizer_config.json */
    json_t *map;      /* special_tokens_map.json */
    json_t *added;    /* added_tokens.json */
    /* The class that tokenizer_config.json or config.json names, else the one of the model_type; NULL: not known. */
    const tfm_tokenizer_class *class;
    const char *class_name;          /* as it is named; NULL: it is not */
    const char *class_file;          /* the file that names it */
    const tfm_pack_options *options; /* whom notes are told */
    tfm_error *error;
} tfm_tokenizer_files;

/*
 * Reads the files of a folder that are there. options, error: kept. Call tfm_tokenizer_files_close after an error too.
 * Errors: TFM_ERROR_IO, _FORMAT, _MEMORY; _UNSUPPORTED: a class that needs what there is not here.
 */
tfm_status tfm_tokenizer_files_open(tfm_tokenizer_files *files, const char *folder, const tfm_pack_options *options,
                                    tfm_error *error);
void tfm_tokenizer_files_close(tfm_tokenizer_files *files);

/*
 * Names keys of a file that no table has to files->options. within: a key whose object is looked into, too; NULL: none.
 * Errors: those of tfm_keys_check.
 */
tfm_status tfm_tokenizer_keys_check(const tfm_tokenizer_files *files, const tfm_key_table *table, const char *file,
                                    const json_t *object, const char *within);

/* A flag of tokenizer_config.json; *said: whether it is there. */
bool tfm_tokenizer_flag(const tfm_tokenizer_files *files, const char *name, bool fallback, bool *said);
/* The spelling of a token: a string, or an object with its content; else NULL. */
const char *tfm_token_content(const json_t *token);
/* Whether tokenizer_config.json lists the added tokens: then it has the say over all of them. */
bool tfm_added_tokens_listed(const tfm_tokenizer_files *files);
/*
 * A special token by its role ("bos_token"): a string or an object. Where tokenizer_config.json lists the added tokens
 * it has the say, else special_tokens_map.json before it. NULL: none of them says it. JSON's null: there is none.
 */
const json_t *tfm_special_token(const tfm_tokenizer_files *files, const char *role);
/* The same as a spelling; fallback (may be NULL): what it is if it is not said. */
const char *tfm_special_token_text(const tfm_tokenizer_files *files, const char *role, const char *fallback);

#endif
