/* key_tables.c - the tables of keys that *_keys.def list. */
#include <string.h>

#include "key_rows.h"
#include "tools/pack/common/word_list.h"

#define ROTATION(name) READ("rope_scaling." name, NULL) READ("rope_parameters." name, NULL)
#define ALIAS(model_types, alias, key)

static const tfm_key config_keys[] = {
#include "config_keys.def"
};
static const tfm_key generation_keys[] = {
#include "generation_keys.def"
};

static const tfm_key pooling_keys[] = {
#define POOLING_KEYS
#include "sentence_transformers_keys.def"
#undef POOLING_KEYS
};
static const tfm_key module_keys[] = {
#define MODULE_KEYS
#include "sentence_transformers_keys.def"
#undef MODULE_KEYS
};
static const tfm_key sentence_bert_keys[] = {
#define SENTENCE_BERT_KEYS
#include "sentence_transformers_keys.def"
#undef SENTENCE_BERT_KEYS
};
static const tfm_key sentence_transformers_keys[] = {
#define SENTENCE_TRANSFORMERS_KEYS
#include "sentence_transformers_keys.def"
#undef SENTENCE_TRANSFORMERS_KEYS
};

static const tfm_key tokenizer_config_keys[] = {
#define TOKENIZER_CONFIG_KEYS
#include "tokenizer_keys.def"
#undef TOKENIZER_CONFIG_KEYS
};
static const tfm_key special_tokens_keys[] = {
#define SPECIAL_TOKENS_KEYS
#include "tokenizer_keys.def"
#undef SPECIAL_TOKENS_KEYS
};
static const tfm_key tokenizer_json_keys[] = {
#define TOKENIZER_JSON_KEYS
#include "tokenizer_keys.def"
#undef TOKENIZER_JSON_KEYS
};

#define TABLE(keys, elsewhere)                                                                                         \
    { keys, sizeof keys / sizeof *keys, elsewhere }
const tfm_key_table tfm_generation_keys = TABLE(generation_keys, NULL);
const tfm_key_table tfm_config_keys = TABLE(config_keys, &tfm_generation_keys);
const tfm_key_table tfm_tokenizer_config_keys = TABLE(tokenizer_config_keys, NULL);
const tfm_key_table tfm_special_tokens_keys = TABLE(special_tokens_keys, NULL);
const tfm_key_table tfm_tokenizer_json_keys = TABLE(tokenizer_json_keys, NULL);
const tfm_key_table tfm_pooling_keys = TABLE(pooling_keys, NULL);
const tfm_key_table tfm_module_keys = TABLE(module_keys, NULL);
const tfm_key_table tfm_sentence_bert_keys = TABLE(sentence_bert_keys, NULL);
const tfm_key_table tfm_sentence_transformers_keys = TABLE(sentence_transformers_keys, NULL);

#undef READ
#undef HARMLESS
#undef LEFT_OUT
#undef REFUSED
#undef ROTATION
#undef ALIAS
#define READ(name, unused)
#define HARMLESS(name)
#define LEFT_OUT(name, neutral)
#define REFUSED(name, neutral)
#define ROTATION(name)
#define ALIAS(model_types, alias, key) {model_types, alias, key},

static const struct {
    const char *model_types, *alias, *key;
} aliases[] = {
#include "config_keys.def"
};

const char *tfm_key_alias(const char *model_type, const char *key) {
    for (size_t i = 0; model_type && i < sizeof aliases / sizeof *aliases; i++)
        if (!strcmp(aliases[i].key, key) && tfm_word_list_has(aliases[i].model_types, model_type))
            return aliases[i].alias;
    return NULL;
}
