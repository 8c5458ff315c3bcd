/* normal_forms.h - lower case and Unicode normal forms as rules from spellings to texts. */
#ifndef TFM_TOOLS_PACK_TOKENIZER_NORMAL_FORMS_H
#define TFM_TOOLS_PACK_TOKENIZER_NORMAL_FORMS_H

#include "tools/pack/tokenizer/spm/trie_builder.h"
#include "unicode.h"

/* keys[i].value is the number of its text + 1; texts lie one after the other. */
typedef struct tfm_rules {
    tfm_trie_key *keys;
    char *spellings; /* what keys[].text points into */
    char *text;
    uint32_t *offsets; /* (n + 1) */
    size_t n, n_text;
    size_t key_capacity, spelling_capacity, text_capacity, offset_capacity;
} tfm_rules;

typedef struct tfm_normal_form {
    tfm_rules rules;  /* character -> its full decomposition */
    tfm_rules pairs;  /* two characters -> key's value is their composition */
    uint8_t *classes; /* (TFM_UNICODE_CODES) 0: inert, 255: combining class 0, else the combining class */
} tfm_normal_form;

/* Errors: TFM_ERROR_MEMORY; what was made is freed as after success. */
tfm_status tfm_rules_lowercase(tfm_rules *rules, tfm_error *error);
tfm_status tfm_normal_form_make(tfm_normal_form *form, bool compose, bool compatibility, tfm_error *error);
void tfm_rules_free(tfm_rules *rules);
void tfm_normal_form_free(tfm_normal_form *form);

/* Class of a character for the boundaries of grapheme clusters, as step_precompiled.c numbers them. */
uint8_t tfm_cluster_class(uint32_t code);

#endif
