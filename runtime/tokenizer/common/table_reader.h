/*
 * table_reader.h - typed and checked values of one tokenizer table; the first failure stays, later reads do nothing.
 */
#ifndef TFM_RUNTIME_TOKENIZER_COMMON_TABLE_READER_H
#define TFM_RUNTIME_TOKENIZER_COMMON_TABLE_READER_H

#include "char_classes.h"
#include "format/table.h"
#include "trie.h"

typedef struct tfm_table_reader {
    const tfm_table *table;
    const char *what;
    tfm_error *error;
    tfm_status status;
    size_t n_read; /* keys that were found */
} tfm_table_reader;

void tfm_reader_fail(tfm_table_reader *r, const char *key, const char *wrong);

/* The value of a key; NULL (a failure if required) if it is not there. */
const tfm_value *tfm_reader_get(tfm_table_reader *r, const char *key, tfm_value_type type, bool required);
bool tfm_reader_bool(tfm_table_reader *r, const char *key);
float tfm_reader_float(tfm_table_reader *r, const char *key);

/* An array of u32 that are all below limit; NULL and *n = 0 if it is not there. */
const uint32_t *tfm_reader_indices(tfm_table_reader *r, const char *key, bool required, size_t limit, size_t *n);
void tfm_reader_trie(tfm_table_reader *r, const char *key, bool required, uint32_t flags, size_t n_values,
                     tfm_trie *trie);

/* NAME.index and NAME.pages. */
void tfm_reader_char_classes(tfm_table_reader *r, const char *name, tfm_char_classes *classes);

/* Texts one after the other: NAME.text, and NAME.offsets with one more entry than there are texts. */
void tfm_reader_texts(tfm_table_reader *r, const char *name, const char **texts, const uint32_t **offsets, size_t *n);

#endif
