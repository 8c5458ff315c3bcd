/*
 * keys.h - what is done about each key of a checkpoint's configuration files. A key is read, or known to change
 * nothing, or left out with a word about it, or refused; one that no table has is named. The tables are *_keys.def.
 */
#ifndef TFM_TOOLS_PACK_CONFIG_KEYS_H
#define TFM_TOOLS_PACK_CONFIG_KEYS_H

#include "config.h"
#include "tools/pack/common/pack_options.h"

typedef enum tfm_key_use {
    TFM_KEY_READ,     /* obeyed by who asks for it; where nobody does, it is like one that no table has */
    TFM_KEY_HARMLESS, /* changes no result where it is not read */
    TFM_KEY_LEFT_OUT, /* changes results, is not supported, and is left out with a word */
    TFM_KEY_REFUSED   /* makes another model of it, which is not supported */
} tfm_key_use;

typedef struct tfm_key {
    const char *name; /* "rope_theta"; "rope_scaling.factor" is in the object rope_scaling, "a.*" whatever is in a */
    tfm_key_use use;
    const char *neutral; /* values with which it says nothing, beside null, false, 0 and empty ones: "1 absolute" */
    const char *unused;  /* model types that carry it and do nothing with it */
} tfm_key;

typedef struct tfm_key_table {
    const tfm_key *keys;
    size_t n;
    const struct tfm_key_table *elsewhere; /* its keys are looked at by others; NULL: none */
} tfm_key_table;

extern const tfm_key_table tfm_config_keys; /* config.json */
extern const tfm_key_table tfm_tokenizer_config_keys, tfm_special_tokens_keys, tfm_tokenizer_json_keys;
extern const tfm_key_table tfm_generation_keys; /* generation_config.json; also in config.json, in its older form */

/* Of sentence-transformers: 1_Pooling/config.json, an entry of modules.json, and the files with the tables' names. */
extern const tfm_key_table tfm_pooling_keys, tfm_module_keys, tfm_sentence_bert_keys, tfm_sentence_transformers_keys;

/* Another name of a key of config.json for a model type (attribute_map of its class in transformers), or NULL. */
const char *tfm_key_alias(const char *model_type, const char *key);

/* A value as JSON, cut to fit; strings without control characters. */
void tfm_key_value_text(const json_t *value, char *text, size_t size);

/*
 * Tells options of all keys of config->object that nobody asked for and that say something: one note for those left
 * out, one for those not known, and a string each in options->ignored. listed_only: keys that the table does not have
 * are those of others. Errors: a key that is refused (TFM_ERROR_UNSUPPORTED); one that was asked for and is in no
 * table, which is a fault of the table (TFM_ERROR_ARGUMENT); config->status.
 */
tfm_status tfm_keys_check(const tfm_key_table *table, const tfm_config *config, bool listed_only,
                          const tfm_pack_options *options);

#endif
